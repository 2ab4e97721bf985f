"""Example orders in which promotions would go below a floor price or zero, if nothing stopped them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from ballast.domain.findings import Finding, Level
from ballast.domain.rules.calculating import Calculator
from ballast.domain.rules.prices import PriceSet, Product
from ballast.domain.rules.promotion_choice import combinations
from ballast.domain.rules.promotion_order import WITH_THRESHOLD, Rule, in_order
from ballast.domain.rules.promotion_words import major
from ballast.domain.rules.promotions import Cart, CartLine, Promotion, PromotionKind, PromotionSet

MOST_STACKS: Final = 200
MOST_ORDERS: Final = 10_000
"""Example orders that are tried for one set; a second or two."""
LARGEST: Final = 10_000
"""Pieces of one example order: nobody reaches a threshold with more."""
ANY_DAY: Final = datetime(2000, 1, 1, tzinfo=UTC)
FREE: Final = frozenset({PromotionKind.GIFT, PromotionKind.FREE_SHIPPING})
AMOUNT: Final = {PromotionKind.SPEND_OFF: "off", PromotionKind.FIXED_PRICE: "price"}


@dataclass(frozen=True, slots=True)
class Occasion:
    """An order without its lines, for which some promotions hold together."""

    cart: Cart
    thresholds: tuple[int, ...]
    nths: tuple[int, ...]

    def quantities(self, price: int) -> list[int]:
        """One piece; as many as each threshold takes, also after earlier discounts; as many as an nth piece takes."""
        reached = {-(-threshold // price) for threshold in self.thresholds}
        wanted = {1, *self.nths, *reached, *(2 * quantity for quantity in reached)}
        return sorted([quantity for quantity in wanted if quantity <= LARGEST])


@dataclass(frozen=True, slots=True)
class Example:
    """One order that would go too low. `names`: what is applied up to the promotion that goes too far, with it;
    `applied`: and what comes after it; `cost`: with all of that."""

    cart: Cart
    line: CartLine
    names: tuple[str, ...]
    applied: tuple[str, ...]
    cost: int

    @property
    def depth(self) -> int:
        """How far a piece is below what is allowed, in millionths of a minor unit."""
        return (self.line.floor * self.line.quantity - self.cost) * 1_000_000 // self.line.quantity


def check_stacks(promotions: PromotionSet, prices: PriceSet) -> list[Finding]:
    """A warning for each combination of promotions that would go too low, with the worst order that was found.

    For every product with a list price: a single piece, and the quantities that thresholds and nth items take, for
    every customer, channel, time and code for which as many promotions as possible hold. It is a search, no proof.
    """
    try:
        calculator = Calculator(promotions)
    except ValueError:
        return []  # a name twice, a time without a zone: that was found before
    search = _Search(calculator)
    for product in prices.products.values():
        search.try_product(product)
    named = {one.name: one for one in promotions.promotions}
    findings = [_finding(example, named, len(search.skus[example.names])) for example in search.worst.values()]
    if search.left <= 0:
        text = f"only the first {MOST_ORDERS} example orders were tried for prices that go too low"
        findings.append(Finding(Level.INFO, "search-cut-short", text))
    return findings


class _Search:
    """Tries orders; keeps the worst one of each combination of promotions."""

    def __init__(self, calculator: Calculator) -> None:
        self.calculator = calculator
        self.worst: dict[tuple[str, ...], Example] = {}
        self.skus: dict[tuple[str, ...], set[str]] = {}
        self.left = MOST_ORDERS
        self._money = [one for one in calculator.promotions.promotions if one.on and one.kind not in FREE]
        self._occasions: dict[tuple[str, ...], list[Occasion]] = {}

    def try_product(self, product: Product) -> None:
        price = product.list_price
        if not price or price < product.floor:
            return
        relevant = [one for one in self._money if _covers(one, product)]
        key = tuple([one.name for one in relevant])
        if key not in self._occasions:
            self._occasions[key] = list(_occasions(relevant, self.calculator.promotions.options.most))
        for occasion in self._occasions[key]:
            for quantity in occasion.quantities(price):
                line = CartLine(
                    line_no=1,
                    sku=product.sku,
                    quantity=quantity,
                    price=price,
                    series=product.series,
                    floor=max(0, product.floor),
                )
                self._try(occasion, line)

    def _try(self, occasion: Occasion, line: CartLine) -> None:
        if self.left <= 0:
            return
        self.left -= 1
        one = occasion.cart
        cart = Cart(
            lines=(line,),
            at=one.at,
            channel=one.channel,
            tier=one.tier,
            customer=one.customer,
            first_order=one.first_order,
            coupons=one.coupons,
            met=one.met,
        )
        cost, names, too_far = line.price * line.quantity, list[str](), tuple[str, ...]()
        for name, off in self.calculator.unprotected(cart):
            cost -= off
            names.append(name)
            if not too_far and cost < line.floor * line.quantity:
                too_far = tuple(names)
        if too_far:
            self._keep(Example(cart, line, too_far, tuple(names), cost))

    def _keep(self, example: Example) -> None:
        self.skus.setdefault(example.names, set()).add(example.line.sku)
        worst = self.worst.get(example.names)
        if worst is None or example.depth > worst.depth:
            self.worst[example.names] = example


def _covers(one: Promotion, product: Product) -> bool:
    everything = not one.skus and not one.series
    return everything or product.sku in one.skus or (bool(product.series) and product.series in one.series)


def _occasions(relevant: Sequence[Promotion], most: int | None) -> Iterator[Occasion]:
    """Every promotion alone, and every set of them that can hold for one order together."""
    rules = in_order([one for one in relevant if not (one.starts and one.ends and one.ends <= one.starts)])
    for rule in rules:
        for other in rules:
            if rule is not other and _occasion([rule.promotion, other.promotion]) is None:
                rule.conflicts |= other.bit
    ways = combinations(rules, most, ways=MOST_STACKS)
    if ways is None:
        ways = [_as_many_as_possible(rules, rule) for rule in rules]
    for way in [*(rule.bit for rule in rules), *ways]:
        stack = [rule.promotion for rule in rules if rule.bit & way]
        occasion = _occasion(stack)
        while occasion is None and stack:  # every two of them meet, but not all of them
            stack = stack[:-1]
            occasion = _occasion(stack)
        if occasion is not None:
            yield occasion


def _as_many_as_possible(rules: Sequence[Rule], first: Rule) -> int:
    taken, conflicts = first.bit, first.conflicts
    for rule in rules:
        if not rule.bit & conflicts:
            taken, conflicts = taken | rule.bit, conflicts | rule.conflicts
    return taken


def _occasion(stack: Sequence[Promotion]) -> Occasion | None:
    """An order for which all of them hold, as far as it is not a matter of its lines; None: there is none."""
    channel = _common([one.channels for one in stack])
    tier = _common([one.tiers for one in stack])
    customer = _common([one.customers for one in stack])
    firsts = {one.first_order for one in stack if one.first_order is not None}
    at = _moment(stack)
    if channel is None or tier is None or customer is None or at is None or len(firsts) > 1:
        return None
    cart = Cart(
        lines=(),
        at=at,
        channel=channel,
        tier=tier,
        customer=customer,
        first_order=True in firsts,
        coupons=tuple([one.code for one in stack if one.kind is PromotionKind.COUPON]),
        met=frozenset([one.name for one in stack if one.when]),
    )
    thresholds = tuple([one.threshold for one in stack if one.kind in WITH_THRESHOLD and one.threshold > 0])
    return Occasion(cart, thresholds, tuple([one.nth for one in stack if one.nth > 1]))


def _common(limits: Iterable[Collection[str]]) -> str | None:
    """A word that all of them have; empty: none of them has any; None: there is no such word."""
    common: list[str] | None = None
    for limit in limits:
        if limit:
            common = [word for word in (limit if common is None else common) if word in limit]
    if common is None:
        return ""
    return common[0] if common else None


def _moment(stack: Sequence[Promotion]) -> datetime | None:
    starts = [one.starts for one in stack if one.starts]
    ends = [one.ends for one in stack if one.ends]
    if starts:
        return max(starts) if not ends or max(starts) < min(ends) else None
    return min(ends) - timedelta(minutes=1) if ends else ANY_DAY


def _finding(example: Example, named: Mapping[str, Promotion], skus: int) -> Finding:
    line, last = example.line, named[example.names[-1]]
    low = example.cost < 0
    each = " each" if line.quantity > 1 else ""
    floor = f"{line.quantity} x {major(line.floor)}" if line.quantity > 1 else major(line.floor)
    bound = "" if low and not line.floor else f", the floor price is {floor}"
    more = f" (and {skus - 1} more SKUs)" if skus > 2 else " (and 1 more SKU)" if skus == 2 else ""
    text = (
        f"{' + '.join(example.applied)} would go below {'zero' if low else 'the floor price'}{more}: "
        f"{line.quantity} x {line.sku} at {major(line.price)}{each}{_circumstances(example, named)} would cost "
        f"{major(example.cost)}{bound}; the rest of the discount is cut off"
    )
    column = AMOUNT.get(last.kind, "pays" if last.pays is not None and not last.off else "off")
    return Finding(Level.WARNING, "below-zero" if low else "below-floor", text, last.place, column)


def _circumstances(example: Example, named: Mapping[str, Promotion]) -> str:
    cart, stack = example.cart, [named[name] for name in example.applied]
    said = []
    for word, value in (("channel", cart.channel), ("tier", cart.tier), ("customer", cart.customer)):
        if value:
            said.append(f"{word} {value}")
    if any(one.first_order is not None for one in stack):
        said.append("a first order" if cart.first_order else "a returning customer")
    if cart.coupons:
        said.append(f"code {' and '.join(cart.coupons)}")
    if cart.at != ANY_DAY:
        said.append(f"at {cart.at:%Y-%m-%d %H:%M %Z}")
    said += [f"where {one.when}" for one in stack if one.when]
    return f" ({', '.join(said)})" if said else ""
