"""What the world knows of each order. Times are business time, seconds since the epoch; money is 分."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sim.people import Customer, Receiver
from sim.script import OrderScript

SIGNED_STATES = frozenset({"3", "301", "302", "304", "311"})
REFUSED_STATES = frozenset({"404", "406"})
DAMAGED_STATES = frozenset({"414"})


@dataclass(slots=True)
class Line:
    line_no: int
    sku: str
    name: str
    quantity: int
    unit_price: int
    agreed: int | None = None  # for the whole line, where it is not the price of its pieces

    @property
    def amount(self) -> int:
        return self.quantity * self.unit_price if self.agreed is None else self.agreed


@dataclass(slots=True)
class Payment:
    """`visible_at`: from then on the shop's shipping system knows the payment."""

    transaction_id: str
    amount: int
    paid_at: float
    visible_at: float


@dataclass(frozen=True, slots=True)
class ShopCharge:
    """A charge that the shop took through a provider of its own: WeChat Pay knows nothing of it."""

    provider: str
    transaction_id: str
    amount: int
    paid_at: float
    visible_at: float


@dataclass(slots=True)
class Refund:
    refund_id: str
    out_refund_no: str
    transaction_id: str
    amount: int
    total: int
    reason: str
    asked_at: float
    done_at: float | None = None
    status: str = "PROCESSING"


@dataclass(slots=True)
class Scan:
    at: float
    state_ex: str
    station: str
    location: str


@dataclass(slots=True)
class Parcel:
    """`carrier` in QiMen's dialect; `phones`: the sender's and the receiver's mobile."""

    waybill: str
    carrier: str
    package_code: str
    order: "Order"
    items: dict[str, int]
    phones: tuple[str, ...]
    scans: list[Scan] = field(default_factory=list)
    subscribed: int = 0
    empty_yes: int = 0  # subscriptions that were confirmed and not made
    order_code: str = ""
    callback: str = ""
    picked_up_at: float | None = None
    signed_at: float | None = None
    outcome: str = "open"

    def add_scan(self, scan: Scan) -> None:
        self.scans.append(scan)
        if scan.state_ex not in {"0", "10"} and self.picked_up_at is None:
            self.picked_up_at = scan.at
        if scan.state_ex in SIGNED_STATES and self.signed_at is None:
            self.signed_at = scan.at
        self.outcome = outcome_after(self.outcome, scan.state_ex)

    @property
    def state_ex(self) -> str:
        return self.scans[-1].state_ex if self.scans else "0"


def outcome_after(outcome: str, state_ex: str) -> str:
    if state_ex in SIGNED_STATES:
        return "signed"
    if outcome == "signed":
        return outcome
    if state_ex in REFUSED_STATES:
        return "refused"
    if state_ex in DAMAGED_STATES:
        return "damaged"
    return "open" if state_ex[:1] in {"1", "2", "5"} else outcome


@dataclass(slots=True)
class DeliveryLine:
    line_no: str
    sku: str
    inventory_type: str
    plan: int
    actual: int = 0


@dataclass(slots=True)
class Delivery:
    """A delivery order as the warehouse keeps it."""

    code: str
    wms_id: str
    warehouse: str
    order_type: str
    owner: str
    order: "Order"
    lines: list[DeliveryLine]
    asked_carrier: str
    phones: tuple[str, ...]
    address: str
    created_at: float
    status: str = "NEW"
    frozen: bool = True
    confirmed_at: float | None = None
    parcels: list[Parcel] = field(default_factory=list)

    @property
    def wanted(self) -> dict[str, int]:
        return sum_units((line.sku, line.plan) for line in self.lines)

    @property
    def remaining(self) -> dict[str, int]:
        return {sku: units for sku, units in sum_units((n.sku, n.plan - n.actual) for n in self.lines).items() if units}

    @property
    def shipped(self) -> dict[str, int]:
        return sum_units((sku, units) for parcel in self.parcels for sku, units in parcel.items.items())

    def give_up_rest(self) -> None:
        """The shelf is empty: what has left is all that there will be."""
        for line in self.lines:
            line.plan = line.actual

    @property
    def alive(self) -> bool:
        return self.status not in {"CANCELED", "CLOSED", "REJECT"}


@dataclass(slots=True)
class ReturnedGoods:
    """A return order as the warehouse keeps it."""

    code: str
    wms_id: str
    warehouse: str
    order_type: str
    order: "Order"
    lines: list[DeliveryLine]
    confirms: int = 0
    confirmed_at: float | None = None
    closed: bool = False
    good: Counter[str] = field(default_factory=Counter)  # SKU -> pieces that came and are on the shelf again
    damaged: Counter[str] = field(default_factory=Counter)

    @property
    def missing(self) -> dict[str, int]:
        return {sku: units for sku, units in sum_units((n.sku, n.plan - n.actual) for n in self.lines).items() if units}


@dataclass(slots=True)
class Warehouse:
    """What the warehouse makes of batches: whether it knows them, after how long (real seconds), whom it refuses."""

    batchcreate: bool = True
    batch_seconds: float | None = None
    refuses: frozenset[str] = frozenset()


@dataclass(slots=True)
class ShopShipping:
    """What the shop's shipping system holds of one payment."""

    order_state: int = 0
    uploads: int = 0
    finished: bool = False
    reshipped: bool = False
    delivery_mode: int = 0
    logistics_type: int = 0
    parcels: list[dict[str, Any]] = field(default_factory=list)
    uploaded_for: float = 0.0
    shipped_at: float | None = None
    received_at: float | None = None
    reminded: int = 0

    @property
    def tracking(self) -> list[str]:
        return [parcel["tracking_no"] for parcel in self.parcels]


@dataclass(slots=True, eq=False)
class Order:
    """`stray`: known only because some system was asked about it, never placed in the shop. `refused`: it was told that
    this cannot be promised, so the shop takes no money for it.

    `open`: events and messages still under way for it; 0 means at rest.
    """

    no: str
    k: int
    script: OrderScript
    lines: list[Line]
    customer: Customer
    receiver: Receiver
    placed_at: float
    freight: int = 0
    discount: int = 0
    automatic: bool = True
    stray: bool = False
    refused: bool = False
    open: int = 0
    channel: str = "wechat"
    currency: str = "CNY"
    payments: list[Payment] = field(default_factory=list)
    shop_charges: list[ShopCharge] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    wishes: list[dict[str, Any]] = field(default_factory=list)  # returns that the customer asked for
    deliveries: list[Delivery] = field(default_factory=list)
    creates: int = 0
    carries: set[str] = field(default_factory=set)  # other orders whose goods leave with its own
    shop: ShopShipping = field(default_factory=ShopShipping)
    reached: set[str] = field(default_factory=set)
    receipt_planned: bool = False

    @property
    def total(self) -> int:
        return sum(line.amount for line in self.lines) + self.freight - self.discount

    @property
    def first_charge(self) -> Payment | ShopCharge | None:
        """What the shop's shipping system shows, whoever took it."""
        return self.payments[0] if self.payments else self.shop_charges[0] if self.shop_charges else None

    @property
    def parcels(self) -> list[Parcel]:
        return [parcel for delivery in self.deliveries for parcel in delivery.parcels]

    @property
    def delivered(self) -> bool:
        """Every unit left and every parcel was signed."""
        deliveries = [delivery for delivery in self.deliveries if delivery.alive]
        return (
            bool(deliveries)
            and all(delivery.status == "DELIVERED" for delivery in deliveries)
            and all(parcel.outcome == "signed" for parcel in self.parcels)
        )


def sum_units(units: Iterable[tuple[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for sku, quantity in units:
        total[sku] += quantity
    return dict(total)
