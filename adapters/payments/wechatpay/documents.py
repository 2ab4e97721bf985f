"""Transactions and refunds as WeChat Pay describes them, read into our words. Source: the vendor sheet, §C2 and §C3."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

from adapters.errors import NotUnderstood
from adapters.meanings import meaning_of
from adapters.replies import Reply
from ballast.domain.money import MINOR_DIGITS, Money
from ballast.domain.words import Event, System
from ballast.ports import Charge, Codes, News, Refund
from ballast.settings import WechatpaySettings

Minor = Annotated[int, Field(strict=True, ge=0)]


class Amount(Reply):
    total: Minor
    currency: str = "CNY"


class Payer(Reply):
    openid: str = Field(repr=False)


class Transaction(Reply):
    """A payment, in a notice or as the answer to a question. Unpaid ones have no transaction_id and no times."""

    mchid: str
    appid: str
    out_trade_no: str
    trade_state: str
    trade_state_desc: str = ""
    transaction_id: str | None = None
    success_time: AwareDatetime | None = None
    payer: Payer | None = None
    amount: Amount | None = None


class RefundAmount(Reply):
    """`total` is what the charge took, `refund` what this refund gives back."""

    total: Minor
    refund: Minor
    currency: str = "CNY"  # notices leave it out [M]


class RefundNotice(Reply):
    """A refund, whole or in part."""

    mchid: str
    out_trade_no: str
    transaction_id: str
    refund_id: str
    out_refund_no: str
    refund_status: str
    success_time: AwareDatetime | None = None
    amount: RefundAmount


def check_ours(document: Transaction | RefundNotice, settings: WechatpaySettings) -> None:
    """Money for another merchant or another app is not ours. Raises `NotUnderstood` naming what differs."""
    asked = {"mchid": settings.mchid} | ({"appid": settings.app_id} if isinstance(document, Transaction) else {})
    for field, ours in asked.items():
        theirs = getattr(document, field)
        if theirs != ours:
            what = f"{field} {theirs!r} is not ours ({ours}); check the settings and the merchant console"
            raise NotUnderstood(System.WECHATPAY, what, order_no=document.out_trade_no)


def read_transaction(transaction: Transaction, codes: Codes, heard_at: datetime) -> News:
    """`heard_at` stands in while nothing was paid. Raises `UnknownCode`, `NotUnderstood`."""
    order_no, state = transaction.out_trade_no, transaction.trade_state
    meaning = meaning_of(codes, System.WECHATPAY, "trade_state", state, order_no=order_no)
    return News(
        system=System.WECHATPAY,
        order_no=order_no,
        happened_at=(transaction.success_time or heard_at).astimezone(UTC),
        field="trade_state",
        said=state,
        event=meaning.event,
        reason=meaning.reason,
        state=meaning.state,
        text=transaction.trade_state_desc,
        charge=_charge(transaction) if meaning.event is Event.PAYMENT_CAPTURED else None,
    )


def _charge(transaction: Transaction) -> Charge:
    needed = {name: getattr(transaction, name) for name in ("transaction_id", "success_time", "amount")}
    if transaction.transaction_id is None or transaction.success_time is None or transaction.amount is None:
        missing = ", ".join(name for name, value in needed.items() if value is None)
        raise NotUnderstood(System.WECHATPAY, f"a success without {missing}", order_no=transaction.out_trade_no)
    return Charge(
        transaction_id=transaction.transaction_id,
        amount=_money(transaction.amount.total, transaction.amount.currency, transaction.out_trade_no),
        merchant=transaction.mchid,
        paid_at=transaction.success_time.astimezone(UTC),
        payer=transaction.payer.openid if transaction.payer else None,
    )


def read_refund(notice: RefundNotice, codes: Codes, heard_at: datetime) -> News:
    """Whatever part of the charge it gives back: the books know what the order was paid with. Raises `UnknownCode`."""
    order_no, amount = notice.out_trade_no, notice.amount
    meaning = meaning_of(codes, System.WECHATPAY, "refund_status", notice.refund_status, order_no=order_no)
    refund = Refund(
        refund_no=notice.out_refund_no,
        transaction_id=notice.transaction_id,
        amount=_money(amount.refund, amount.currency, order_no),
        captured=_money(amount.total, amount.currency, order_no),
    )
    return News(
        system=System.WECHATPAY,
        order_no=order_no,
        happened_at=(notice.success_time or heard_at).astimezone(UTC),
        field="refund_status",
        said=notice.refund_status,
        event=meaning.event,
        reason=meaning.reason,
        state=meaning.state,
        text=f"{notice.refund_status}: refund {refund.refund_no}, {refund.amount} of charge {refund.transaction_id}",
        refund=refund,
    )


def _money(amount: int, currency: str, order_no: str) -> Money:
    """Raises `NotUnderstood` for a currency of which we do not know how many decimals it has."""
    if currency not in MINOR_DIGITS:
        raise NotUnderstood(System.WECHATPAY, f"currency {currency!r} is unknown", order_no=order_no)
    return Money(amount, currency)
