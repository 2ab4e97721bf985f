"""A day's ledger in words: what a bookkeeper reads, in English or Chinese, on a screen and in a workbook."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from adapters.files.xlsx_table import Sheet, Value, write_book
from ballast.clock import to_local
from ballast.db.ledger import Movement, OrderMoney, Sums, total_of
from ballast.db.statements import Item, StatementHead
from ballast.domain.ledger import FINDING_LABELS, WEIGHTS, Finding, Weight
from ballast.domain.money import Money
from ballast.domain.statements import VERDICT_LABELS, LineKind, Verdict
from ballast.domain.words import STATE_LABELS, Label, State
from tasks.ledger import DayLedger

WORDS: Final[dict[str, str]] = {
    "summary": "汇总", "orders": "订单", "charges": "收款", "refunds": "退款", "findings": "异常",
    "statement": "对账单", "standing": "现状", "currency": "币种", "channel": "渠道", "provider": "支付平台",
    "due": "应收", "captured": "已收", "refunded": "已退", "net": "净额", "order": "订单号", "state": "状态",
    "placed": "下单时间", "due that day": "当日应收", "captured that day": "当日收款",
    "refunded that day": "当日退款", "on its way back": "退款中", "earned": "实收", "credited": "折让",
    "open": "未收", "too much": "多收", "not booked": "未入账", "transaction": "交易号", "refund": "退款单号",
    "amount": "金额", "paid": "支付时间", "asked for": "申请时间", "done": "完成时间", "why": "原因",
    "finding": "异常", "weight": "级别", "what to do": "处理建议", "line": "行", "kind": "类别",
    "their order": "对方订单号", "our order": "我方订单号", "our amount": "我方金额", "time": "时间",
    "verdict": "结论", "all": "合计", "adds up": "勾稽", "yes": "相符", "NO": "不符", "charge": "收款",
    "fee": "手续费", "act": "需处理", "watch": "关注", "note": "说明", "surplus": "重复收款", "counted": "已确认",
    "not yet checked": "待核对", "requested": "已受理", "asked": "已申请", "by_hand": "待人工", "failed": "失败",
    "overtaken": "已由他处退回", "account": "商户号", "file": "文件", "days": "账期",
    "lines": "行数", "statement lines": "对账明细", "open items": "未决", "agree": "一致", "repeated": "重复",
    "left out": "未读行", "no": "编号", "fees": "手续费合计",
    "difference": "差额",
    "nothing moved on this day": "当日无款项变动", "all money agrees with its orders": "款项与订单状态全部一致",
    "every line agrees, and nothing is missing": "逐行一致, 无缺漏", "no statement was imported": "尚未导入对账单",
}  # fmt: skip
"""English -> Chinese, of column heads and small words."""


class DayWords:
    """Says a day in one language (`en`, `zh`)."""

    def __init__(self, language: str) -> None:
        self._zh = language == "zh"

    def say(self, word: str) -> str:
        return WORDS.get(word, word) if self._zh else word

    def label(self, of: Label) -> str:
        return of.zh if self._zh else of.en

    def advice(self, of: Label) -> str:
        return of.advice_zh if self._zh else of.advice_en

    def heads(self, *names: str) -> tuple[str, ...]:
        return tuple(map(self.say, names))

    # -- a day ---------------------------------------------------------------------------------------------------

    def sheets(self, found: DayLedger) -> list[Sheet]:
        """The workbook: summary, how it stands, orders, charges, refunds, findings, statements, their lines."""
        return [
            self.summary(found),
            self.standing(found),
            self.orders(found.orders),
            self.charges(found.charges),
            self.refunds(found.refunds),
            self.findings(found.seen),
            self.statements(found.statements),
            self.items(found.items),
        ]

    def summary(self, found: DayLedger) -> Sheet:
        """What moved that day, by currency, channel and provider; then each currency's sum, and whether it adds up."""
        columns = self.heads(
            "currency", "channel", "provider", "orders", "due", "captured", "charges", "refunded", "refunds", "net"
        )
        rows = [self._sums(one, one.channel, one.provider) for one in found.sums]
        counted = Counter(one.facts.currency for one in found.orders)
        for currency in dict.fromkeys(one.currency for one in found.sums):
            rows.append(self._sums(_added(found.sums, currency, counted[currency]), self.say("all"), ""))
        rows.append([self.say("adds up"), self.say("yes" if found.adds_up else "NO"), *[None] * (len(columns) - 2)])
        return Sheet(self.say("summary"), columns, rows)

    def _sums(self, one: Sums, channel: str, provider: str) -> list[Value]:
        def money(amount: int) -> Money:
            return Money(amount, one.currency)

        return [
            one.currency, channel, provider, one.orders, money(one.due), money(one.captured), one.charges,
            money(one.refunded), one.refunds, money(one.net),
        ]  # fmt: skip

    def standing(self, found: DayLedger) -> Sheet:
        """How the day's orders stand now: both equations, a row for each currency."""
        columns = self.heads(
            "currency", "due", "earned", "credited", "open", "captured", "not booked", "too much", "on its way back",
            "refunded", "difference",
        )  # fmt: skip
        rows: list[Sequence[Value]] = []
        for currency, one in total_of(found.orders).items():
            amounts = (
                one.due, one.earned, one.credited, one.open, one.captured, one.unbooked, one.surplus, one.on_its_way,
                one.refunded, one.difference,
            )  # fmt: skip
            rows.append([currency, *(Money(amount, currency) for amount in amounts)])
        return Sheet(self.say("standing"), columns, rows)

    def orders(self, found: Sequence[OrderMoney]) -> Sheet:
        columns = self.heads(
            "order", "channel", "state", "placed", "due that day", "captured that day", "refunded that day", "due",
            "captured", "refunded", "on its way back", "earned", "credited", "open", "too much", "not booked",
            "findings",
        )  # fmt: skip
        return Sheet(self.say("orders"), columns, [self._order(one) for one in found])

    def _order(self, one: OrderMoney) -> list[Value]:
        money, facts = one.account, one.facts
        amounts = (
            one.moved_due, one.moved_captured, one.moved_refunded, money.due, money.captured, money.refunded,
            money.on_its_way, money.earned, money.credited, money.open, money.surplus, money.unbooked,
        )  # fmt: skip
        said = "; ".join(self.label(FINDING_LABELS[found]) for found in one.findings)
        head = [facts.order_no, facts.channel, self.state(facts.state), to_local(facts.placed_at)]
        return [*head, *(Money(amount, facts.currency) for amount in amounts), said]

    def state(self, state: State) -> str:
        return self.label(STATE_LABELS[state])

    def charges(self, found: Sequence[Movement]) -> Sheet:
        columns = self.heads("order", "provider", "transaction", "amount", "state", "paid")
        rows: list[Sequence[Value]] = [
            [one.order_no, one.provider, one.transaction_id, one.amount, self._charge_state(one.state), _local(one.at)]
            for one in found
        ]
        return Sheet(self.say("charges"), columns, rows)

    def _charge_state(self, state: str) -> str:
        return self.say("not yet checked" if state == "captured" else state)

    def refunds(self, found: Sequence[Movement]) -> Sheet:
        columns = self.heads(
            "order", "provider", "transaction", "refund", "amount", "state", "asked for", "done", "why"
        )
        rows: list[Sequence[Value]] = [
            [
                one.order_no, one.provider, one.transaction_id, one.refund_no, one.amount,
                self.say("refunded" if one.state == "done" else one.state), _local(one.at), _local(one.done_at),
                one.why,
            ]
            for one in found
        ]  # fmt: skip
        return Sheet(self.say("refunds"), columns, rows)

    def findings(self, found: Sequence[OrderMoney]) -> Sheet:
        """A row for each finding, what asks for hands first."""
        columns = self.heads(
            "weight", "finding", "order", "state", "due", "captured", "refunded", "on its way back", "too much", "open",
            "what to do",
        )  # fmt: skip
        listed = [(of, one) for weight in Weight for one in found for of in one.findings if WEIGHTS[of] is weight]
        return Sheet(self.say("findings"), columns, [self._finding(of, one) for of, one in listed])

    def _finding(self, of: Finding, one: OrderMoney) -> list[Value]:
        money, label = one.account, FINDING_LABELS[of]
        amounts = (money.due, money.captured, money.refunded, money.on_its_way, money.surplus, money.open)
        head = [self.say(WEIGHTS[of]), self.label(label), one.facts.order_no, self.state(one.facts.state)]
        return [*head, *(Money(amount, one.facts.currency) for amount in amounts), self.advice(label)]

    # -- statements ----------------------------------------------------------------------------------------------

    def statements(self, found: Sequence[StatementHead]) -> Sheet:
        columns = self.heads(
            "no", "provider", "account", "days", "file", "lines", "agree", "open items", "repeated", "left out",
            "captured", "refunded", "fees",
        )  # fmt: skip
        return Sheet(self.say("statement"), columns, [self._statement(one) for one in found])

    def _statement(self, one: StatementHead) -> list[Value]:
        days = one.first_day.isoformat() + (f" .. {one.last_day}" if one.last_day != one.first_day else "")
        counts = (one.lines, one.matched, one.open, one.repeated, one.refused)
        sums: list[Value] = [None, None, None]
        if one.currencies == 1:
            sums = [Money(one.charged, one.currency), Money(one.refunded, one.currency), fee_text(one.fee)]
        return [one.id, one.provider, one.account, days, one.file, *counts, *sums]

    def items(self, found: Sequence[Item]) -> Sheet:
        columns = self.heads(
            "no", "line", "kind", "verdict", "amount", "our amount", "transaction", "refund", "their order",
            "our order", "time", "what to do",
        )  # fmt: skip
        return Sheet(self.say("statement lines"), columns, [self._item(one) for one in found])

    def _item(self, one: Item) -> list[Value]:
        label = VERDICT_LABELS[one.verdict]
        theirs = None if one.verdict is Verdict.MISSING else one.amount
        ours = Money(one.our_amount, one.amount.currency) if one.our_amount is not None else None
        return [
            one.statement_id, one.line_no, self.kind(one.kind), self.label(label), theirs, ours, one.transaction_id,
            one.refund_no, one.named_order, one.our_order, _local(one.at), self.advice(label),
        ]  # fmt: skip

    def kind(self, kind: LineKind) -> str:
        return self.say(kind.value)

    # -- one line ------------------------------------------------------------------------------------------------

    def outcome(self, found: DayLedger) -> str:
        """The day in one line: the name of its run."""
        totals = [_added(found.sums, currency, 0) for currency in dict.fromkeys(one.currency for one in found.sums)]
        money = ", ".join(
            f"{Money(one.captured, one.currency)} {self.say('captured')}, "
            f"{Money(one.refunded, one.currency)} {self.say('refunded')}"
            for one in totals
        )
        parts = [
            f"{found.day} {len({one.facts.order_no for one in found.orders})} {self.say('orders')}",
            money,
            f"{len(found.to_act_on())} {self.say('act')}" if found.to_act_on() else "",
            f"{len(found.open_items)} {self.say('open items')}" if found.open_items else "",
            "" if found.adds_up else f"{self.say('adds up')}: {self.say('NO')}",
        ]
        return ", ".join(part for part in parts if part)


def _added(found: Sequence[Sums], currency: str, orders: int) -> Sums:
    mine = [one for one in found if one.currency == currency]
    return Sums(
        currency=currency, channel="", provider="", orders=orders, due=sum(one.due for one in mine),
        captured=sum(one.captured for one in mine), charges=sum(one.charges for one in mine),
        refunded=sum(one.refunded for one in mine), refunds=sum(one.refunds for one in mine),
    )  # fmt: skip


def _local(at: datetime | None) -> str:
    return to_local(at) if at is not None else ""


def fee_text(fee: int) -> str:
    """Thousandths of a fen as yuan: five decimals, as WeChat Pay writes them."""
    sign, value = ("-" if fee < 0 else ""), abs(fee)
    return f"{sign}{value // 100_000}.{value % 100_000:05d}"


def as_texts(sheet: Sheet) -> list[dict[str, str]]:
    """Rows of a sheet for the Prefect UI and the terminal: amounts of nothing stay empty."""
    return [dict(zip(sheet.columns, map(text_of, row), strict=True)) for row in sheet.rows]


def text_of(value: Value) -> str:
    if isinstance(value, Money):
        return str(value) if value.amount else ""
    return "" if value is None else str(value)


def write_day(path: Path, found: DayLedger, language: str) -> None:
    """The day's workbook; who opens it never sees half of one. Raises `FileError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.part.xlsx")
    write_book(half, DayWords(language).sheets(found))
    half.replace(path)
