"""What each kind of promotion takes off an order as it stands at its turn: whole cents, a share rounded half up."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import lcm
from typing import Final

from ballast.domain.rules.portions import portion
from ballast.domain.rules.prices import WHOLE
from ballast.domain.rules.promotion_order import Rule
from ballast.domain.rules.promotions import Cart, CartLine, PromotionKind

BOTTOMLESS: Final = -(10**18)
"""The floor of a line that nothing protects: only to find out what rules would do."""


@dataclass(slots=True)
class Bill:
    """The order while promotions act on it: lines by number, what each costs now, and what it may not fall below."""

    lines: Sequence[CartLine]
    costs: list[int]
    floors: Sequence[int]
    freight: int

    @classmethod
    def of(cls, cart: Cart, *, protected: bool = True) -> "Bill":
        """ValueError: two lines with one number, a quantity below 1, a negative amount, a time without a zone."""
        lines = sorted(cart.lines, key=lambda line: line.line_no)
        if cart.at.tzinfo is None:
            raise ValueError("the cart has a time without a time zone")
        if cart.freight < 0:
            raise ValueError(f"the cart has a negative freight, {cart.freight}")
        before: int | None = None
        for line in lines:
            if line.line_no == before:
                raise ValueError(f"two lines have number {line.line_no}: a number says which line is meant")
            if line.quantity < 1 or line.price < 0 or line.floor < 0:
                raise ValueError(f"line {line.line_no} needs a quantity of 1 or more, and no negative price or floor")
            before = line.line_no
        floors = [line.floor * line.quantity if protected else BOTTOMLESS for line in lines]
        return cls(lines, [line.price * line.quantity for line in lines], floors, cart.freight)

    @property
    def payable(self) -> int:
        return sum(self.costs) + self.freight

    def rooms(self, scope: Sequence[int]) -> list[int]:
        """What may still be taken off each line; no floor is below nothing, so no line falls below it either."""
        costs, floors = self.costs, self.floors
        return [costs[line] - floors[line] if costs[line] > floors[line] else 0 for line in scope]


@dataclass(slots=True)
class Take:
    """What a promotion takes. `wanted`: by its own words; `allowed`: of that, by its cap; `parts`: what the lines in
    scope give, `goods` in all, and `freight` the freight; `times`: multiples of its threshold; `pieces`: that it is
    about."""

    wanted: int
    allowed: int
    parts: list[int]
    goods: int = 0
    freight: int = 0
    times: int = 0
    pieces: int = 0

    @property
    def taken(self) -> int:
        return self.goods + self.freight

    @property
    def cut(self) -> int:
        return self.wanted - self.goods - self.freight


def share_off(amount: int, pays: int) -> int:
    """What is taken off where a share is paid; what is paid is rounded half up to whole cents."""
    return max(0, amount - (amount * pays + WHOLE // 2) // WHOLE)


def take(rule: Rule, bill: Bill, scope: Sequence[int], base: int) -> Take:
    """What `rule` takes off the lines in `scope`, which cost `base` now. `bill` is not changed."""
    return _TAKES[rule.kind](rule, bill, scope, base)


def _times(rule: Rule, base: int) -> int:
    return base // rule.threshold if rule.promotion.per_multiple and rule.threshold > 0 else 1


def _allowed(rule: Rule, wanted: int) -> int:
    cap = rule.promotion.cap
    return wanted if cap is None else min(wanted, max(0, cap))


def _off_sum(rule: Rule, bill: Bill, scope: Sequence[int], wanted: int, times: int = 1) -> Take:
    """An amount off the lines together, in proportion to what each still costs."""
    allowed = _allowed(rule, wanted)
    costs = [bill.costs[line] for line in scope]
    parts = portion(allowed, costs, bill.rooms(scope))
    return Take(wanted, allowed, parts, sum(parts), times=times)


def _off_lines(rule: Rule, bill: Bill, scope: Sequence[int], wants: Sequence[int]) -> Take:
    """For each line its own amount: what one has no room for, no other line gives; a cap is shared out by amounts."""
    wanted = sum(wants)
    allowed = _allowed(rule, wanted)
    rooms = [min(want, room) for want, room in zip(wants, bill.rooms(scope), strict=True)]
    parts = portion(allowed, wants, rooms)
    return Take(wanted, allowed, parts, sum(parts))


def _spend_off(rule: Rule, bill: Bill, scope: Sequence[int], base: int) -> Take:
    times = _times(rule, base)
    return _off_sum(rule, bill, scope, max(0, rule.promotion.off) * times, times)


def _percent(rule: Rule, bill: Bill, scope: Sequence[int], base: int) -> Take:
    pays = rule.promotion.pays
    return _off_sum(rule, bill, scope, 0 if pays is None else share_off(base, pays))


def _coupon(rule: Rule, bill: Bill, scope: Sequence[int], base: int) -> Take:
    one = rule.promotion
    if one.off or one.pays is None:
        return _off_sum(rule, bill, scope, max(0, one.off))
    return _off_sum(rule, bill, scope, share_off(base, one.pays))


def _fixed_price(rule: Rule, bill: Bill, scope: Sequence[int], base: int) -> Take:
    price = rule.promotion.price
    if price is None:
        return Take(0, 0, [0] * len(scope))
    wants = [max(0, bill.costs[line] - price * bill.lines[line].quantity) for line in scope]
    return _off_lines(rule, bill, scope, wants)


def _nth_item(rule: Rule, bill: Bill, scope: Sequence[int], base: int) -> Take:
    """All pieces in scope in one row, the dearest first: every nth of them pays its share."""
    nth, pays = rule.promotion.nth, rule.promotion.pays
    if nth < 1 or pays is None:
        return Take(0, 0, [0] * len(scope))
    quantities = [bill.lines[line].quantity for line in scope]
    common = lcm(*quantities)  # compares prices per piece without fractions
    row = sorted(range(len(scope)), key=lambda at: (-bill.costs[scope[at]] * (common // quantities[at]), at))
    wants, passed, pieces = [0] * len(scope), 0, 0
    for at in row:
        reached = (passed + quantities[at]) // nth - passed // nth
        passed += quantities[at]
        pieces += reached
        part, of = bill.costs[scope[at]] * reached * (WHOLE - pays), quantities[at] * WHOLE
        wants[at] = max(0, (2 * part + of - 1) // (2 * of))  # what is paid is rounded half up, so this half down
    made = _off_lines(rule, bill, scope, wants)
    made.pieces = pieces
    return made


def _gift(rule: Rule, bill: Bill, scope: Sequence[int], base: int) -> Take:
    one = rule.promotion
    pieces = max(0, one.gift_quantity) * _times(rule, base) if one.gift_sku else 0
    return Take(0, 0, [0] * len(scope), times=_times(rule, base), pieces=pieces)


def _free_shipping(rule: Rule, bill: Bill, scope: Sequence[int], base: int) -> Take:
    allowed = _allowed(rule, bill.freight)
    return Take(bill.freight, allowed, [0] * len(scope), freight=allowed)


_TAKES: Final[Mapping[PromotionKind, Callable[[Rule, Bill, Sequence[int], int], Take]]] = {
    PromotionKind.SPEND_OFF: _spend_off,
    PromotionKind.PERCENT: _percent,
    PromotionKind.COUPON: _coupon,
    PromotionKind.FIXED_PRICE: _fixed_price,
    PromotionKind.NTH_ITEM: _nth_item,
    PromotionKind.GIFT: _gift,
    PromotionKind.FREE_SHIPPING: _free_shipping,
}
