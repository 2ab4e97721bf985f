"""What the shop answers: error codes and the order as it sees it. Source: the vendor sheet, §A1 and §A2."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from adapters.errors import NotYet, OutsideError, Refused, Throttled
from adapters.meanings import meaning_of
from adapters.replies import Reply
from ballast.domain.words import System
from ballast.ports import Codes, News

STALE_TOKEN: Final = frozenset({40001, 42001})
TOO_OFTEN: Final = frozenset({45009, 45011})
BUSY: Final = -1
NO_SUCH_ORDER: Final = 10060001
"""Shortly after payment this only means: not visible yet [M]."""
SHIPPED_BEFORE: Final = frozenset({"10060002", "10060003"})

PAUSE_SECONDS: Final = 60.0
ADVICE: Final = {
    10060004: "the order cannot be shipped in the shop (refunded or closed there?); look at it in the shop's console",
    40013: "wrong app id; check BALLAST_WECHAT__APP_ID",
    40125: "wrong app secret; check BALLAST_WECHAT__APP_SECRET",
}


class Answer(Reply):
    """The part that every reply has. HTTP is 200 even on failure; a token grant leaves `errcode` out."""

    errcode: int = 0
    errmsg: str = ""


class Shipment(Reply):
    tracking_no: str = ""
    upload_time: int = 0


class Shipping(Reply):
    shipping_list: tuple[Shipment, ...] | None = None


class ShopOrder(Reply):
    """The order as the shop sees it. Times are unix seconds, 0 when they have not come."""

    transaction_id: str
    merchant_trade_no: str
    order_state: int
    in_complaint: bool = False
    pay_time: int = 0
    shipping: Shipping | None = None

    @property
    def shipments(self) -> tuple[Shipment, ...]:
        return (self.shipping.shipping_list if self.shipping else None) or ()

    def has(self, waybills: Iterable[str]) -> bool:
        """Whether the customer can see every one of these parcels."""
        return {*waybills} <= {shipment.tracking_no for shipment in self.shipments}


class OrderAnswer(Answer):
    order: ShopOrder


def check(answer: Answer, *, otherwise: type[OutsideError], order_no: str = "") -> None:
    """Raise what the error code means. `otherwise` is for -1: the shop's system failed somewhere on the way."""
    code, said = answer.errcode, f"{ADVICE.get(answer.errcode, 'refused')} ({answer.errmsg})"
    if code == 0:
        return
    if code in TOO_OFTEN:
        raise Throttled(System.WECHAT, answer.errmsg, seconds=PAUSE_SECONDS, code=str(code))
    if code == BUSY:
        raise otherwise(System.WECHAT, f"the shop is busy ({answer.errmsg})", order_no=order_no, code=str(code))
    if code == NO_SUCH_ORDER:
        what = f"the order is not visible in the shop yet; if it stays so, check mchid ({answer.errmsg})"
        raise NotYet(System.WECHAT, what, order_no=order_no, code=str(code))
    raise Refused(System.WECHAT, said, order_no=order_no, code=str(code))


def read_shop_order(order: ShopOrder, codes: Codes, asked_at: datetime) -> tuple[News, ...]:
    """One piece of news for the state and one more while there is a complaint. Raises `UnknownCode`."""
    heard = [("order_state", str(order.order_state), _changed_at(order) or asked_at)]
    if order.in_complaint:
        heard.append(("in_complaint", "true", asked_at))
    waybills = frozenset(shipment.tracking_no for shipment in order.shipments if shipment.tracking_no)
    return tuple(_news(order.merchant_trade_no, *one, codes, waybills) for one in heard)


def _news(order_no: str, field: str, said: str, at: datetime, codes: Codes, waybills: frozenset[str]) -> News:
    meaning = meaning_of(codes, System.WECHAT, field, said, order_no=order_no)
    return News(
        system=System.WECHAT,
        order_no=order_no,
        happened_at=at,
        field=field,
        said=said,
        event=meaning.event,
        reason=meaning.reason,
        state=meaning.state,
        waybills=waybills,
    )


def _changed_at(order: ShopOrder) -> datetime | None:
    """The shop gives times for paid (1) and shipped (2) only."""
    times = {1: order.pay_time, 2: max((shipment.upload_time for shipment in order.shipments), default=0)}
    seconds = times.get(order.order_state, 0)
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
