"""Transactions and refunds as WeChat Pay writes them."""

from typing import Any

from sim.clock import zoned_text
from sim.config import WechatPayKeys
from sim.records import Order, Payment, Refund

DESCRIPTIONS = {"SUCCESS": "支付成功", "NOTPAY": "订单未支付", "REFUND": "转入退款"}


def trade_state(order: Order) -> str:
    if not order.payments:
        return "NOTPAY"
    first = order.payments[0].transaction_id
    refunded = any(r.transaction_id == first and r.status == "SUCCESS" for r in order.refunds)
    return "REFUND" if refunded else "SUCCESS"


def describe_transaction(order: Order, payment: Payment | None, state: str, keys: WechatPayKeys) -> dict[str, Any]:
    head = {"mchid": keys.mchid, "appid": keys.app_id, "out_trade_no": order.no}
    if payment is None:
        return {**head, "trade_state": state, "trade_state_desc": DESCRIPTIONS[state], "amount": {"total": order.total}}
    return {
        **head,
        "transaction_id": payment.transaction_id,
        "trade_type": "JSAPI",
        "trade_state": state,
        "trade_state_desc": DESCRIPTIONS[state],
        "bank_type": "OTHERS",
        "attach": "",
        "success_time": zoned_text(payment.paid_at),
        "payer": {"openid": order.customer.openid},
        "amount": {
            "total": payment.amount,
            "payer_total": payment.amount,
            "currency": "CNY",
            "payer_currency": "CNY",
        },
    }


def describe_refund(order: Order, refund: Refund) -> dict[str, Any]:
    """The answer to asking for or about a refund."""
    described = {
        "refund_id": refund.refund_id,
        "out_refund_no": refund.out_refund_no,
        "transaction_id": refund.transaction_id,
        "out_trade_no": order.no,
        "channel": "ORIGINAL",
        "user_received_account": "支付用户零钱",
        "create_time": zoned_text(refund.asked_at),
        "status": refund.status,
        "amount": {
            "total": refund.total,
            "refund": refund.amount,
            "payer_total": refund.total,
            "payer_refund": refund.amount,
            "currency": "CNY",
        },
    }
    return described | ({"success_time": zoned_text(refund.done_at)} if refund.done_at else {})


def describe_refund_notice(order: Order, refund: Refund, mchid: str) -> dict[str, Any]:
    """The resource of a refund notice: `refund_status` where the query says `status`."""
    return {
        "mchid": mchid,
        "out_trade_no": order.no,
        "transaction_id": refund.transaction_id,
        "out_refund_no": refund.out_refund_no,
        "refund_id": refund.refund_id,
        "refund_status": refund.status,
        "success_time": zoned_text(refund.done_at or refund.asked_at),
        "user_received_account": "支付用户零钱",
        "amount": {
            "total": refund.total,
            "refund": refund.amount,
            "payer_total": refund.total,
            "payer_refund": refund.amount,
        },
    }
