"""A provider's statement: what its lines are, and what we say to each of them."""

from enum import StrEnum
from typing import Final

from ballast.domain.words import Label


class LineKind(StrEnum):
    """What a line of a statement is about."""

    CHARGE = "charge"  # a customer paid
    REFUND = "refund"  # money went back to a customer
    FEE = "fee"  # what the provider keeps; no order has it


class Verdict(StrEnum):
    """How a line stands to our books. Only `matched`, `repeated` and `noted` are final: the others are open items."""

    MATCHED = "matched"  # the same transaction, amount and currency
    DIFFERS = "differs"  # the same transaction, another amount or currency
    UNKNOWN = "unknown"  # no charge or refund of ours has this number
    NOT_DONE = "not_done"  # a refund that our books hold for failed, or given up
    REPEATED = "repeated"  # an earlier line, of this statement or another one, says the same
    NOTED = "noted"  # a fee: nothing to match
    MISSING = "missing"  # ours, of a time that the statement covers, and it does not know it


VERDICT_LABELS: Final[dict[Verdict, Label]] = {
    Verdict.MATCHED: Label("agrees", "一致"),
    Verdict.DIFFERS: Label(
        "amount differs", "金额不符", "compare both in the payment console", "在支付后台核对两边金额"
    ),
    Verdict.UNKNOWN: Label(
        "not in our books",
        "我方无此记录",
        "`ballast finance statement book` puts it into its order; else ask the provider whose it is",
        "用 `ballast finance statement book` 记入其订单; 否则向支付平台查明归属",
    ),
    Verdict.NOT_DONE: Label(
        "we hold it for failed", "我方记为失败", "see the refund in the payment console", "在支付后台核对该笔退款"
    ),
    Verdict.REPEATED: Label("said before", "重复行"),
    Verdict.NOTED: Label("a fee", "手续费"),
    Verdict.MISSING: Label(
        "not in the statement",
        "对账单缺少",
        "ask the provider; the money may never have come",
        "询问支付平台; 该款可能未到账",
    ),
}

OPEN: Final = (Verdict.DIFFERS, Verdict.UNKNOWN, Verdict.NOT_DONE)
"""Lines that are looked at again whenever their statement is, and that people have to explain."""
