"""Their trade bill (交易账单): the day's payments and refunds as a file, by the API or from the merchant console.

Four parts: head of the lines, lines, head of the sums, sums. Every value has a backtick before it, so that a sheet
leaves long numbers alone; amounts are yuan, fees have five decimals. A refund stands in the bill of the day on which it
was taken on, with its status of that time. ALL has payments and refunds, SUCCESS payments only, REFUND refunds only.
"""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from adapters.errors import Unavailable
from ballast.clock import from_local
from ballast.domain.money import Money
from ballast.domain.statements import LineKind
from ballast.domain.words import System
from ballast.ports.statements import Statement, StatementLine, StatementRefused

NUMBER, ORDER, STATE, AMOUNT = "微信订单号", "商户订单号", "交易状态", "订单金额"
AT, MCHID, CURRENCY, FEE = "交易时间", "商户号", "货币种类", "手续费"
REFUND_NO, REFUNDED, REFUND_STATE = "商户退款单号", "申请退款金额", "退款状态"
NEEDED: Final = (AT, MCHID, NUMBER, ORDER, STATE, CURRENCY, FEE, AMOUNT)
KINDS: Final[Mapping[str, LineKind]] = {
    "SUCCESS": LineKind.CHARGE,
    "REFUND": LineKind.REFUND,
    "REVOKED": LineKind.REFUND,  # 已撤销: a payment at the counter that was taken back [M]
}
MOST_BYTES: Final = 200_000_000
MOST_YUAN: Final = 10**10
LONGEST_NUMBER: Final = 64
YEARS: Final = range(1990, 2200)
COUNT: Final = "总交易单数"
SUMS: Final[Mapping[str, str]] = {"订单总金额": AMOUNT, "申请退款总金额": REFUNDED}
"""Their sums that have to agree with our own of the same column. Fees are rounded on the way [M]: they are not."""
FEE_UNITS: Final = 100_000
"""Thousandths of a fen in a yuan: a fee of 0.05940 is 5.94 fen."""
SHOWN: Final = ("交易类型", "付款银行", "应结订单金额", "代金券金额", "退款金额", "费率", "微信退款单号")
"""What else a person may want to see of a line; nothing of the customer."""


def read_bill(raw: bytes) -> Statement:
    """Read a whole bill. Raises `StatementRefused` when it was cut off, its sums do not agree, or a line is not one."""
    text = _text(raw)
    if "\0" in text:
        raise StatementRefused("the bill holds NUL characters: it was damaged on its way; download it again")
    lines = text.splitlines()
    names = [name.strip("` ") for name in lines[0].split(",")] if lines else []
    if missing := [name for name in NEEDED if name not in names]:
        raise StatementRefused(
            f"this is no trade bill of WeChat Pay: its first line has no column {', '.join(missing)}"
        )
    end = next((place for place, line in enumerate(lines) if line.startswith(COUNT)), None)
    if end is None or len(lines) <= end + 1:
        raise StatementRefused(
            f"the bill is cut off after line {len(lines)}: its sums ({COUNT}, ...) are missing; download it again"
        )
    found = [_cells(place, line, names) for place, line in enumerate(lines[1:end], 2)]
    _check(found, dict(zip(lines[end].split(","), _values(lines[end + 1]), strict=False)))
    read = tuple(_line(place, cells) for place, cells in enumerate(found, 2))
    return Statement(
        provider=System.WECHATPAY, account=_account(found), covers=_covers(names), lines=read
    )  # fmt: skip


def unpack_bill(packed: bytes, sha1: str) -> bytes:
    """The bill out of the file that they send. Raises `Unavailable` when it is not what they said it would be."""
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        raw = unpack.decompress(packed, MOST_BYTES) if packed.startswith(b"\x1f\x8b") else packed
    except zlib.error as wrong:
        raise Unavailable(System.WECHATPAY, f"the bill cannot be unpacked ({wrong}): fetch it again") from None
    if hashlib.sha1(raw).hexdigest() != sha1.lower():  # noqa: S324  # theirs: against a broken line, not a forger
        raise Unavailable(System.WECHATPAY, "the bill did not come whole: its SHA-1 differs; fetch it again")
    return raw


def _text(raw: bytes) -> str:
    """The API sends UTF-8, with or without a mark; a file that went through a Chinese sheet is GBK."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise StatementRefused("the bill is neither UTF-8 nor GBK: download it again")


def _values(line: str) -> list[str]:
    """Cells are told apart by the backtick: the name of a product may hold commas."""
    return [cell.strip() for cell in line.rstrip("\r\n,").removeprefix("`").split(",`")]


def _cells(place: int, line: str, names: Sequence[str]) -> dict[str, str]:
    values = _values(line)
    if len(values) != len(names):
        raise StatementRefused(f"line {place} has {len(values)} cells, the head has {len(names)}: {line[:80]!r}")
    return dict(zip(names, values, strict=True))


def _check(found: Sequence[Mapping[str, str]], said: Mapping[str, str]) -> None:
    if said.get(COUNT) != str(len(found)):
        raise StatementRefused(f"the bill says {said.get(COUNT)} lines and has {len(found)}: download it again")
    for sum_name, column in SUMS.items():
        if sum_name not in said:
            continue
        ours = sum((_decimal(cells.get(column, "0"), column) for cells in found), Decimal(0))
        if ours != _decimal(said[sum_name], sum_name):
            raise StatementRefused(
                f"{sum_name} is {said[sum_name]} by the bill and {ours} by its lines: download it again"
            )


def _decimal(text: str, where: str) -> Decimal:
    try:
        value = Decimal(text or "0")
    except InvalidOperation:
        raise StatementRefused(f"{where} {text!r} is no amount") from None
    if not value.is_finite() or abs(value) > MOST_YUAN:
        raise StatementRefused(f"{where} {text!r} is no amount")
    return value


def _line(place: int, cells: Mapping[str, str]) -> StatementLine:
    kind = KINDS.get(cells[STATE])
    if kind is None:
        raise StatementRefused(f"line {place}: {STATE} {cells[STATE]!r} is not known; known are {', '.join(KINDS)}")
    is_refund = kind is LineKind.REFUND
    try:
        amount = Money.from_major(cells.get(REFUNDED, "") if is_refund else cells[AMOUNT], cells[CURRENCY])
        at = from_local(cells[AT])
        fee = int(_decimal(cells[FEE], FEE) * FEE_UNITS)
    except ValueError as wrong:
        raise StatementRefused(f"line {place}: {wrong}") from None
    if at.year not in YEARS:
        raise StatementRefused(f"line {place}: the year of {cells[AT]!r} cannot be right")
    if amount.amount < 0 or not 0 < len(cells[NUMBER]) <= LONGEST_NUMBER:
        raise StatementRefused(f"line {place}: {NUMBER} {cells[NUMBER]!r}, {amount}: a line has both, and no minus")
    return StatementLine(
        line_no=place, kind=kind, transaction_id=cells[NUMBER], amount=amount, at=at, fee=fee,
        order_no=cells[ORDER][:LONGEST_NUMBER],
        refund_no=cells.get(REFUND_NO, "")[:LONGEST_NUMBER] if is_refund else "",
        said=cells.get(REFUND_STATE, "") if is_refund else cells[STATE],
        raw={name: cells[name][:100] for name in SHOWN if cells.get(name)},
    )  # fmt: skip


def _account(found: Sequence[Mapping[str, str]]) -> str:
    accounts = {cells[MCHID] for cells in found}
    if len(accounts) > 1:
        raise StatementRefused(f"the bill is of several merchants: {', '.join(sorted(accounts))}; one file each")
    return next(iter(accounts), "")


def _covers(names: Sequence[str]) -> frozenset[LineKind]:
    """Only ALL and REFUND know refunds. REFUND has a column of its own; SUCCESS lacks the refunds' ones."""
    if "退款申请时间" in names:
        return frozenset({LineKind.REFUND})
    return frozenset({LineKind.CHARGE, LineKind.REFUND} if REFUND_NO in names else {LineKind.CHARGE})
