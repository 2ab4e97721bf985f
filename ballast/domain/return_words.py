"""What returns are called before people, in both languages."""

from collections.abc import Mapping
from typing import Final

from ballast.domain.returns import ReturnKind, ReturnReason, ReturnState
from ballast.domain.words import Label

RETURN_LABELS: Final[Mapping[ReturnState, Label]] = {
    ReturnState.REQUESTED: Label("to be answered", "待审核"),
    ReturnState.APPROVED: Label("agreed to", "已同意"),
    ReturnState.WAITING_FOR_GOODS: Label("waiting for the goods", "待收货"),
    ReturnState.RECEIVED: Label("partly in", "已收货"),
    ReturnState.INSPECTED: Label("inspected", "已质检"),
    ReturnState.REFUNDED: Label("paid back", "已退款"),
    ReturnState.EXCHANGED: Label("exchanged", "已换货"),
    ReturnState.REJECTED: Label("refused", "已拒绝"),
    ReturnState.CLOSED: Label("closed", "已关闭"),
}
KIND_LABELS: Final[Mapping[ReturnKind, Label]] = {
    ReturnKind.RETURN: Label("return", "退货"),
    ReturnKind.EXCHANGE: Label("exchange", "换货"),
    ReturnKind.REFUSED_PARCEL: Label("parcel refused", "拒收"),
    ReturnKind.RETURN_TO_SENDER: Label("back to the sender", "快递退回"),
}
REASON_LABELS: Final[Mapping[ReturnReason, Label]] = {
    ReturnReason.NO_REASON: Label("no reason", "无理由"),
    ReturnReason.QUALITY: Label("broken or faulty", "质量问题"),
    ReturnReason.WRONG_GOODS: Label("not what was ordered", "发错货"),
    ReturnReason.NOT_AS_DESCRIBED: Label("not as shown", "与描述不符"),
    ReturnReason.CANCELLED_LATE: Label("cancelled too late", "发货后取消"),
    ReturnReason.NOT_DELIVERED: Label("not delivered", "未妥投"),
    ReturnReason.OTHER: Label("something else", "其他"),
}
