"""The trade bill of one day: every payment by the time it was made, every refund by the time it was taken on."""

import gzip
import hashlib
from collections.abc import Iterator
from datetime import date

from sim.clock import HOUR, local_text
from sim.config import WechatPayKeys
from sim.records import Order, Payment, Refund
from sim.world import World

HEAD = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,"
    "代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,"
    "申请退款金额,费率备注"
)
SUMS = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
READY = 10 * HOUR
"""Bills can be fetched from ten in the morning after."""
RATE = 6
"""Per mille."""


class NoBill(Exception):
    """Nothing happened that day, or the bill is not made yet: their code and words."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


def write_bill(world: World, day: str, keys: WechatPayKeys) -> str:
    """The whole file, lines in the order of their time. Raises `NoBill`."""
    now = world.clock.now()
    if local_text(now - 24 * HOUR - READY)[:10] < date.fromisoformat(day).isoformat():
        raise NoBill("STATEMENT_CREATING", "账单生成中")
    lines = sorted(line for order in world.placed for line in _lines(order, keys) if line[0][:10] == day)
    if not lines:
        raise NoBill("NO_STATEMENT_EXIST", "账单文件不存在")
    paid, back = sum(line[2] for line in lines), sum(line[3] for line in lines)
    fees = sum(line[4] for line in lines)
    sums = (str(len(lines)), _yuan(paid), _yuan(back), "0.00", _fee(fees), _yuan(paid), _yuan(back))
    written = [HEAD, *(_row(line[1]) for line in lines), SUMS, _row(sums)]
    return "\ufeff" + "\r\n".join(written) + "\r\n"


def pack(bill: str) -> tuple[bytes, str]:
    """(gzip, SHA-1 of the bill before it was packed)."""
    raw = bill.encode()
    return gzip.compress(raw, mtime=0), hashlib.sha1(raw).hexdigest()  # noqa: S324  # theirs


Line = tuple[str, tuple[str, ...], int, int, int]
"""(time, cells, paid, given back, fee): amounts in fen, the fee in thousandths of one."""


def _lines(order: Order, keys: WechatPayKeys) -> Iterator[Line]:
    for payment in order.payments:
        yield _payment(order, payment, keys)
    for refund in order.refunds:
        yield _refund(order, refund, keys)


def _payment(order: Order, payment: Payment, keys: WechatPayKeys) -> Line:
    at, fee = local_text(payment.paid_at), payment.amount * RATE
    cells = (
        at, keys.app_id, keys.mchid, "0", "", payment.transaction_id, order.no, order.customer.openid, "JSAPI",
        "SUCCESS", "OTHERS", "CNY", _yuan(payment.amount), "0.00", "0", "0", "0.00", "0.00", "", "", "商品,一件", "",
        _fee(fee), "0.60%", _yuan(payment.amount), "0.00", "",
    )  # fmt: skip
    return at, cells, payment.amount, 0, fee


def _refund(order: Order, refund: Refund, keys: WechatPayKeys) -> Line:
    at, fee = local_text(refund.asked_at), -refund.amount * RATE
    cells = (
        at, keys.app_id, keys.mchid, "0", "", refund.transaction_id, order.no, order.customer.openid, "JSAPI",
        "REFUND", "OTHERS", "CNY", "0.00", "0.00", refund.refund_id, refund.out_refund_no, _yuan(refund.amount),
        "0.00", "ORIGINAL", refund.status, "商品,一件", "", _fee(fee), "0.60%", "0.00", _yuan(refund.amount), "",
    )  # fmt: skip
    return at, cells, 0, refund.amount, fee


def _row(cells: tuple[str, ...]) -> str:
    return ",".join(f"`{cell}" for cell in cells)


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def _fee(thousandths: int) -> str:
    sign, value = ("-" if thousandths < 0 else ""), abs(thousandths)
    return f"{sign}{value // 100_000}.{value % 100_000:05d}"
