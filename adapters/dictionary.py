"""Every adapter's own codes in one place, as rows of the status map."""

from collections.abc import Mapping
from typing import Final

from adapters.couriers.kdniao import status as kdniao
from adapters.erp.kingdee import status as kingdee
from adapters.payments.wechatpay import status as wechatpay
from adapters.storefronts.direct import status as direct
from adapters.storefronts.wechat import status as wechat
from adapters.wms.qimen import status as qimen
from ballast.domain.status_check import Known
from ballast.domain.status_map import Dictionary, Entry, Key
from ballast.domain.words import System
from ballast.ports import Codes

CODES: Final[Mapping[System, Codes]] = {
    System.DIRECT: direct.CODES,
    System.KDNIAO: kdniao.CODES,
    System.KINGDEE: kingdee.CODES,
    System.QIMEN: qimen.CODES,
    System.WECHAT: wechat.CODES,
    System.WECHATPAY: wechatpay.CODES,
}

ALSO_LOOKED_UP: Final[Mapping[System, frozenset[str]]] = {
    System.WECHAT: frozenset({"MsgType"}),
    System.WECHATPAY: frozenset({"event_type"}),
}
"""Fields of which an adapter has no codes of its own: kinds of messages that are not about orders."""


def own_entries() -> dict[Key, Entry]:
    """The whole dictionary as it is when nobody added anything."""
    return {
        (system, field, code): Entry(system, field, code, meaning.event, meaning.reason, meaning.note)
        for system, codes in CODES.items()
        for (field, code), meaning in codes.items()
    }


def known(before: Dictionary | None = None) -> Known:
    """What a written dictionary is checked against; `before` is what is in force."""
    fields = {
        system: frozenset(field for field, _ in codes) | ALSO_LOOKED_UP.get(system, frozenset())
        for system, codes in CODES.items()
    }
    return Known(own_entries(), fields, before or {})
