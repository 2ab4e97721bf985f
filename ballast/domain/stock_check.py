"""Whether ledger, locks, orders and the ERP say the same of every piece. Pure: facts in, findings out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from ballast.domain.stock import Place
from ballast.domain.words import HoldReason, Label, State


class Rule(StrEnum):
    """What has to be true of the stock. A finding names the rule that is broken."""

    LOCKED_SUM = "LOCKED_SUM"  # a level's `locked` is what its held locks add up to
    LOCK_LEFT_OVER = "LOCK_LEFT_OVER"  # only orders on their way to the warehouse hold pieces
    LOCK_MISSING = "LOCK_MISSING"  # an order that is stock-locked holds exactly what its lines need
    SHIPPED_NOT_LEFT = "SHIPPED_NOT_LEFT"  # what the ledger took off the shelf has left, by the order's lines
    LEFT_UNLOCKED = "LEFT_UNLOCKED"  # what has left was taken off the shelf in the ledger
    BILL_NOT_NOTED = "BILL_NOT_NOTED"  # once the ERP's bill is audited, its pieces are no longer taken off its figures
    NEVER_BOOKED = "NEVER_BOOKED"  # what has left is booked in the ERP, or on its way there
    ON_HAND = "ON_HAND"  # the ledger has the ERP's figure, less what left and is not booked
    NOT_IN_ERP = "NOT_IN_ERP"  # the ERP has a row for what the ledger counts
    ERP_RESERVES_LESS = "ERP_RESERVES_LESS"  # the ERP reserves at least what our stock-locked orders hold


MENDED: Final = frozenset({Rule.LOCKED_SUM, Rule.LOCK_LEFT_OVER, Rule.BILL_NOT_NOTED, Rule.ON_HAND})
"""What is ours to mend. Everything else is a person's: the goods or the other system have to be looked at."""

WITH_ERP: Final = frozenset({Rule.ON_HAND, Rule.NOT_IN_ERP, Rule.ERP_RESERVES_LESS})
"""What cannot be compared while the ERP does not answer."""

RULE_LABELS: Final[dict[Rule, Label]] = {
    Rule.LOCKED_SUM: Label(
        "locked pieces do not add up", "锁定数与锁明细不符", "`ballast stock mend` counts them again",
        "`ballast stock mend` 重新计数",
    ),
    Rule.LOCK_LEFT_OVER: Label(
        "pieces held for an order that needs none", "订单已不需要的锁定", "`ballast stock mend` ends the lock",
        "`ballast stock mend` 结束该锁定",
    ),
    Rule.LOCK_MISSING: Label(
        "an order holds other pieces than it needs", "订单锁定数量不符",
        "see whether the pieces are on the shelf; if not, cancel the order or restock before it is picked",
        "核对货架; 若缺货, 在拣货前补货或取消订单",
    ),
    Rule.SHIPPED_NOT_LEFT: Label(
        "taken off the shelf, and the order says it did not leave", "账上已出库但订单未出库",
        "ask the warehouse; the next sync-inventory takes the ERP's figure once its bill is booked",
        "向仓库核实; ERP 记账后, 下一次 sync-inventory 会按 ERP 数修正",
    ),
    Rule.LEFT_UNLOCKED: Label(
        "left without a lock", "未锁定即出库",
        "book it in the ERP if that is not done; the next sync-inventory then takes it off the shelf",
        "若 ERP 未记账则记账; 之后由 sync-inventory 扣减",
    ),
    Rule.BILL_NOT_NOTED: Label(
        "booked in the ERP and still counted as not booked", "ERP 已记账但未登记",
        "`ballast stock mend` notes the bill", "`ballast stock mend` 登记该单",
    ),
    Rule.NEVER_BOOKED: Label(
        "left and never booked in the ERP", "已出库但 ERP 未记账",
        "book what left in the ERP by hand, then `ballast stock booked NO`",
        "在 ERP 手工记账, 然后 `ballast stock booked NO`",
    ),
    Rule.ON_HAND: Label(
        "the ledger differs from the ERP", "账存与 ERP 不符", "`ballast stock mend` takes the ERP's figure",
        "`ballast stock mend` 采用 ERP 数",
    ),
    Rule.NOT_IN_ERP: Label(
        "the ERP does not list it", "ERP 无此库存",
        "see whether SKU and warehouse still exist in the ERP; nothing is sold from it once the ERP lists it with 0",
        "核对 ERP 中该物料与仓库; ERP 列为 0 后即不再可售",
    ),
    Rule.ERP_RESERVES_LESS: Label(
        "the ERP reserves less than our orders hold", "ERP 预留少于订单锁定",
        "look for sale orders that were closed or unreserved in the ERP by hand",
        "检查是否有人在 ERP 手工关闭或取消预留",
    ),
}  # fmt: skip
"""The broken rule in words for people, and what to do."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule: what the books say (`found`) and what they ought to say (`expected`), in pieces."""

    rule: Rule
    sku: str
    warehouse: str
    found: int
    expected: int
    order_no: str = ""
    order_id: int | None = None

    @property
    def place(self) -> Place:
        return self.sku, self.warehouse


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What is known of one place. `untold`: left and not in the ERP's figures; `reserved`: held by orders for which
    the ERP had a reservation when it was asked."""

    sku: str
    warehouse: str
    on_hand: int
    locked: int
    held: int
    untold: int
    reserved: int
    figure_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One order and one SKU: what its lines and its locks say."""

    order_id: int
    order_no: str
    place: State  # where the order is on its way, whether held or not
    reason: HoldReason | None
    paid: bool
    reserved: bool  # by our own step, in the ERP
    announced: bool  # a message about the outbound bill exists
    booked: bool  # the ERP's outbound bill is audited
    sku: str
    warehouse: str
    wanted: int
    needed: int  # of `wanted`, what its deliveries are to ship: not what is on backorder or to be sourced again
    left: int
    held: int
    gone: int
    untold: int  # of `gone`


@dataclass(frozen=True, slots=True)
class ErpFigure:
    """The ERP's own count of one place."""

    on_hand: int
    reserved: int


LET_GO: Final = frozenset({HoldReason.STOCK_SHORT, HoldReason.ERP_REFUSED, HoldReason.NO_ANSWER})
"""An order that could not be reserved gives back what it held, in the transaction that holds it."""

GONE: Final = frozenset({State.OUTBOUND, State.IN_TRANSIT, State.SIGNED})


def may_hold(place: State, reason: HoldReason | None, *, paid: bool) -> bool:
    """Whether an order that stands there may hold pieces."""
    return place is State.STOCK_LOCKED or (place is State.PENDING_PAYMENT and paid and reason not in LET_GO)


def check_levels(
    levels: Iterable[Level], figures: Mapping[Place, ErpFigure] | None, asked_at: datetime
) -> list[Finding]:
    """Every level against its locks, and against the ERP's figures of `asked_at` unless they are None."""
    found: list[Finding] = []
    for level in levels:
        if level.locked != level.held:
            found.append(Finding(Rule.LOCKED_SUM, level.sku, level.warehouse, level.locked, level.held))
        if figures is not None and level.figure_at <= asked_at:
            found += _against_erp(level, figures.get((level.sku, level.warehouse)))
    return found


def _against_erp(level: Level, figure: ErpFigure | None) -> list[Finding]:
    if figure is None:
        missing = Finding(Rule.NOT_IN_ERP, level.sku, level.warehouse, level.on_hand, 0)
        return [missing] if level.on_hand else []
    found: list[Finding] = []
    if level.on_hand != (expected := max(figure.on_hand - level.untold, 0)):
        found.append(Finding(Rule.ON_HAND, level.sku, level.warehouse, level.on_hand, expected))
    if figure.reserved < level.reserved:
        found.append(Finding(Rule.ERP_RESERVES_LESS, level.sku, level.warehouse, figure.reserved, level.reserved))
    return found


def check_holding(one: Holding) -> list[Finding]:
    """One order's locks against its lines and its place."""
    broken: list[tuple[Rule, int, int]] = []
    if one.held and not may_hold(one.place, one.reason, paid=one.paid):
        broken.append((Rule.LOCK_LEFT_OVER, one.held, 0))
    if one.place is State.STOCK_LOCKED and one.reserved and not one.needed <= one.held <= one.wanted:
        broken.append((Rule.LOCK_MISSING, one.held, one.needed))
    if one.untold and one.gone > one.left:
        broken.append((Rule.SHIPPED_NOT_LEFT, one.gone, one.left))
    if one.place in GONE and one.reserved and not one.held and one.gone < one.left:
        broken.append((Rule.LEFT_UNLOCKED, one.gone, one.left))
    if one.untold and one.booked:
        broken.append((Rule.BILL_NOT_NOTED, one.untold, 0))
    if one.untold and one.left and not one.booked and not one.announced:
        broken.append((Rule.NEVER_BOOKED, one.untold, 0))
    return [
        Finding(rule, one.sku, one.warehouse, found, expected, one.order_no, one.order_id)
        for rule, found, expected in broken
    ]
