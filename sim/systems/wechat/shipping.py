"""The rules of upload_shipping_info: what may be uploaded, how often, and what it changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sim.records import Order, ShopShipping

FORMAT, NO_PAYMENT, ALREADY_SHIPPED, RESHIP_USED, NOT_SHIPPABLE = 47001, 10060001, 10060002, 10060003, 10060004
BAD_LOGISTICS, NO_SPLIT, NEED_ALL_DELIVERED, NO_DESC, LONG_DESC = 10060005, 10060006, 10060007, 10060008, 10060009
PARAMETER = 10060010  # the sheet gives the range from here on as "system or parameter"
UNIFIED, SPLIT, EXPRESS = 1, 2, 1
MAX_PARCELS = 15
MAX_DESC = 120
COMPANIES = frozenset({"SF", "YTO", "ZTO", "STO", "YUNDA", "EMS", "JD", "HTKY", "DB", "JTSD", "OTHERS"})


class Refusal(Exception):
    """errcode and errmsg of the shop's answer."""

    def __init__(self, code: int, message: str, repeat_of: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.repeat_of = repeat_of


@dataclass(frozen=True, slots=True)
class Upload:
    """A well-formed upload; `uploaded_for` is its upload_time in seconds since the epoch."""

    logistics_type: int
    delivery_mode: int
    complete: bool
    parcels: tuple[dict[str, Any], ...]
    uploaded_for: float

    @property
    def tracking(self) -> set[str]:
        return {str(parcel.get("tracking_no", "")) for parcel in self.parcels}


def read_upload(body: Mapping[str, Any]) -> Upload:
    listed = body.get("shipping_list")
    if not isinstance(listed, list) or not listed or not all(isinstance(parcel, dict) for parcel in listed):
        raise Refusal(FORMAT, "data format error: shipping_list should be array")
    logistics, mode = body.get("logistics_type"), body.get("delivery_mode")
    if logistics not in (1, 2, 3, 4):
        raise Refusal(BAD_LOGISTICS, "物流类型有误")
    if mode not in (UNIFIED, SPLIT):
        raise Refusal(FORMAT, "data format error: delivery_mode")
    check_mode(body, mode, logistics, len(listed))
    for parcel in listed:
        check_parcel(parcel, express=logistics == EXPRESS)
    complete = mode == UNIFIED or body.get("is_all_delivered") is True
    return Upload(logistics, mode, complete, tuple(listed), read_upload_time(body.get("upload_time")))


def check_mode(body: Mapping[str, Any], mode: int, logistics: int, parcels: int) -> None:
    if mode == UNIFIED and parcels != 1:
        raise Refusal(PARAMETER, "统一发货模式下 shipping_list 只能有一个物流单")
    if mode == SPLIT and logistics != EXPRESS:
        raise Refusal(NO_SPLIT, "非快递发货时不允许分拆发货")
    if mode == SPLIT and not isinstance(body.get("is_all_delivered"), bool):
        raise Refusal(NEED_ALL_DELIVERED, "分拆发货模式下必须填写 is_all_delivered")
    if parcels > MAX_PARCELS:
        raise Refusal(PARAMETER, f"分拆发货最多 {MAX_PARCELS} 个物流单")


def check_parcel(parcel: Mapping[str, Any], *, express: bool) -> None:
    description = parcel.get("item_desc")
    if not isinstance(description, str) or not description:
        raise Refusal(NO_DESC, "item_desc 字段不能为空")
    if len(description) > MAX_DESC:
        raise Refusal(LONG_DESC, f"item_desc 字段过长，最多 {MAX_DESC} 字")
    if not express:
        return
    if not parcel.get("tracking_no") or parcel.get("express_company") not in COMPANIES:
        raise Refusal(PARAMETER, "快递发货必须填写 tracking_no 与有效的 express_company")
    if parcel["express_company"] == "SF" and not has_masked_contact(parcel.get("contact")):
        raise Refusal(PARAMETER, "顺丰发货必须填写 contact，手机号需掩码且末四位可见")


def has_masked_contact(contact: Any) -> bool:
    if not isinstance(contact, Mapping):
        return False
    numbers = [str(contact.get(name) or "") for name in ("consignor_contact", "receiver_contact")]
    return any("*" in number and number[-4:].isdigit() for number in numbers)


def read_upload_time(text: Any) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise Refusal(FORMAT, "data format error: upload_time") from error
    if moment.tzinfo is None:
        raise Refusal(FORMAT, "data format error: upload_time needs an offset")
    return moment.timestamp()


def check_repeat(shop: ShopShipping, upload: Upload) -> None:
    """Refuses what may not follow what was uploaded before."""
    if shop.order_state not in (1, 2):
        raise Refusal(NOT_SHIPPABLE, "支付单处于不可发货的状态", "shop_upload" if shop.uploads else "")
    seen = upload.tracking <= set(shop.tracking)
    if seen and shop.delivery_mode == upload.delivery_mode and (shop.finished or not upload.complete):
        raise Refusal(ALREADY_SHIPPED, "支付单已完成发货，无法继续发货", "shop_upload")
    if shop.reshipped:
        raise Refusal(RESHIP_USED, "支付单已使用重新发货机会", "shop_upload")
    if upload.uploaded_for <= shop.uploaded_for:
        raise Refusal(PARAMETER, "upload_time 必须晚于上一次上传")


def apply_upload(order: Order, upload: Upload, at: float) -> bool:
    """True when it re-shipped what had been complete: allowed once, and never meant to happen here."""
    shop = order.shop
    again = shop.finished
    if again:
        shop.parcels = []
        shop.reshipped = True
    known = set(shop.tracking)
    new = [{**parcel, "uploaded_at": int(at)} for parcel in upload.parcels if parcel.get("tracking_no") not in known]
    shop.parcels.extend(new)
    shop.uploads += 1
    shop.uploaded_for = upload.uploaded_for
    shop.delivery_mode, shop.logistics_type = upload.delivery_mode, upload.logistics_type
    if upload.complete:
        shop.finished = True
        shop.order_state = 2
        shop.shipped_at = shop.shipped_at or at
    return again
