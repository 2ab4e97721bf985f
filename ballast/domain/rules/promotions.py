"""The promotion calculator: atomic rules in, what the customer pays out, to the cent and with every reason."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class PromotionKind(StrEnum):
    """What a promotion does."""

    SPEND_OFF = "spend_off"  # 满减: from a threshold an amount off, once or per multiple
    PERCENT = "percent"  # 折: a share of what the lines in scope still cost
    FIXED_PRICE = "fixed_price"  # 一口价: a price per piece
    NTH_ITEM = "nth_item"  # 第N件: every nth piece pays a share
    GIFT = "gift"  # 赠品: pieces of a SKU for nothing
    COUPON = "coupon"  # 券: a code that the order brings, off what is actually payable
    FREE_SHIPPING = "free_shipping"  # 包邮


class Choice(StrEnum):
    """Which of several promotions that exclude each other is taken."""

    PRIORITY = "priority"  # the first in order
    BEST = "best"  # what costs the customer least


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One rule. Amounts are minor units, shares ten-thousandths (`pays` 9,000 is 9折), times aware UTC.

    Scope: an empty tuple is no limit. `skus` and `series` choose lines (either of them is enough); `channels`,
    `tiers`, `customers`, the period (`starts` <= at < `ends`), `first_order` (True: only first orders, False: only
    returning customers) and `when` (an expression over the order, evaluated outside, see `Cart.met`) choose orders.

    SPEND_OFF: `threshold`, `off`, `per_multiple`. PERCENT: `pays`, `threshold`. COUPON: `code`, `threshold`, and `off`
    or `pays`. FIXED_PRICE: `price`. NTH_ITEM: `nth`, `pays` (0: free). GIFT: `gift_sku`, `gift_quantity`, `threshold`,
    `per_multiple`. FREE_SHIPPING: `threshold`. `cap`: the most it takes off one order. `threshold` is compared with
    what the lines in scope cost at that moment.

    `priority`: the smaller, the earlier. `group`: of one group at most one is applied; `excludes`: names that it does
    not go together with, in both directions.
    """

    name: str
    kind: PromotionKind
    title: str = ""
    on: bool = True
    priority: int = 100
    skus: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    starts: datetime | None = None
    ends: datetime | None = None
    first_order: bool | None = None
    when: str = ""
    threshold: int = 0
    off: int = 0
    per_multiple: bool = False
    pays: int | None = None
    price: int | None = None
    nth: int = 0
    gift_sku: str = ""
    gift_quantity: int = 0
    code: str = ""
    cap: int | None = None
    group: str = ""
    excludes: tuple[str, ...] = ()
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionOptions:
    """`gate`: whether the order's own total is compared with the calculation; `tolerance` in minor units per order.

    `most`: promotions that one order may have at most (gifts and free shipping count), None: any number.
    `choice`: among promotions that exclude each other.
    """

    gate: bool = True
    tolerance: int = 0
    most: int | None = None
    choice: Choice = Choice.PRIORITY


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionSet:
    """One version of the promotions, in the order in which people wrote them."""

    promotions: tuple[Promotion, ...] = ()
    options: PromotionOptions = field(default_factory=PromotionOptions)


@dataclass(slots=True, kw_only=True)  # made by the thousand: frozen it would take three times as long
class CartLine:
    """What is bought: `price` per piece before promotions, `floor` per piece below which it is never sold."""

    line_no: int
    sku: str
    quantity: int
    price: int
    series: str = ""
    floor: int = 0


@dataclass(slots=True, kw_only=True)  # made by the thousand: frozen it would take three times as long
class Cart:
    """One order, or a question what it would cost. `coupons`: the codes that it brings, in the customer's order.

    `met`: names of promotions whose `when` holds; those without a `when` need not be in it.
    """

    lines: tuple[CartLine, ...]
    at: datetime
    freight: int = 0
    channel: str = ""
    tier: str = ""
    customer: str = ""
    first_order: bool = False
    coupons: tuple[str, ...] = ()
    met: frozenset[str] = frozenset()


class Fate(StrEnum):
    """What became of a promotion for one order."""

    APPLIED = "applied"
    SKIPPED = "skipped"  # a condition does not hold
    EXCLUDED = "excluded"  # another one was taken instead


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One promotion and this order. `why` in words for people; `off`: what it took, minor units; `per_line`: of that,
    by line number; `cut`: what it would have taken and may not (floor, zero, cap)."""

    name: str
    fate: Fate
    why: str
    off: int = 0
    per_line: Mapping[int, int] = field(default_factory=dict)
    freight_off: int = 0
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Gift:
    """Pieces that come for nothing."""

    sku: str
    quantity: int
    promotion: str


@dataclass(slots=True, kw_only=True)  # made by the thousand, as the cart
class Calculation:
    """What the order costs. `lines`: line number -> what the whole line costs; they sum to `goods` exactly.

    `goods` + `freight` = `payable`. `applied`: the names of the promotions behind it, in the order of evaluation.
    `cut`: what all rules together would have taken beyond floor, zero and caps.
    """

    lines: Mapping[int, int]
    goods: int
    freight: int
    gifts: tuple[Gift, ...]
    applied: tuple[str, ...] = ()
    cut: int = 0
    tell: Callable[[], tuple[Outcome, ...]] = field(default=tuple, repr=False, compare=False)

    @property
    def payable(self) -> int:
        return self.goods + self.freight

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Every promotion of the set, in the order of evaluation. Written when asked: the words are most of the work,
        and of most orders nobody reads them."""
        return self.tell()
