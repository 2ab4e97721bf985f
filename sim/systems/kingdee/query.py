"""ExecuteBillQuery: FieldKeys, FilterString, paging, over sale orders, outstock bills and stock."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sim.catalogue import Article
from sim.stock import Stocks
from sim.systems.kingdee.bills import OUT, SALE, AnyBill, Ledger
from sim.systems.kingdee.columns import COLUMNS, ENTRY_COLUMNS, INVENTORY, TRACE_COLUMNS, BillRow, Column, StockRow
from sim.systems.kingdee.envelope import BAD_PARAMETER, Refusal
from sim.systems.kingdee.saving import get

MAX_ROWS = 2000

TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[\w.]+)|(?P<sign>>=|[=(),]))")


@dataclass(frozen=True, slots=True)
class Condition:
    """One `field = value`, `field in (values)` or `field >= value`; several are joined by `and`."""

    field: str
    values: frozenset[str]
    at_least: str = ""

    def holds(self, value: str) -> bool:
        return value in self.values if self.values else value >= self.at_least


def read_filter(text: str) -> list[Condition]:
    tokens = split_tokens(text)
    conditions: list[Condition] = []
    while tokens:
        if conditions and tokens.pop(0).lower() != "and":
            raise bad_filter(text)
        conditions.append(read_condition(tokens, text))
    return conditions


def split_tokens(text: str) -> list[str]:
    tokens, position = [], 0
    while position < len(text.rstrip()):
        found = TOKEN.match(text, position)
        if found is None:
            raise bad_filter(text)
        tokens.append(found.group().strip())
        position = found.end()
    return tokens


def read_condition(tokens: list[str], text: str) -> Condition:
    try:
        field, operator = tokens.pop(0).lower(), tokens.pop(0).lower()
        if operator == "=":
            return Condition(field, frozenset({read_value(tokens.pop(0))}))
        if operator == ">=":
            return Condition(field, frozenset(), at_least=read_value(tokens.pop(0)))
        if operator != "in" or tokens.pop(0) != "(":
            raise bad_filter(text)
        values = {read_value(tokens.pop(0))}
        while tokens.pop(0) == ",":
            values.add(read_value(tokens.pop(0)))
    except IndexError as error:
        raise bad_filter(text) from error
    return Condition(field, frozenset(values))


def read_value(token: str) -> str:
    return token[1:-1].replace("''", "'") if token.startswith("'") else token


def bad_filter(text: str) -> Refusal:
    return Refusal(BAD_PARAMETER, f"过滤条件语法错误：{text[:100]}", "FilterString")


@dataclass(frozen=True, slots=True)
class Query:
    """One ExecuteBillQuery as asked; column names in lower case."""

    form: str
    columns: tuple[str, ...]
    conditions: tuple[Condition, ...]
    order: tuple[tuple[str, bool], ...]
    start: int
    limit: int

    def column(self, name: str) -> Column:
        found = COLUMNS[self.form].get(name)
        if found is None:
            raise Refusal(BAD_PARAMETER, f"字段“{name}”在单据“{self.form}”中不存在", name)
        return found

    def asks_for(self, columns: Iterable[str]) -> bool:
        named = {*self.columns, *(condition.field for condition in self.conditions)}
        return not named.isdisjoint(columns)


def read_query(data: Mapping[str, Any]) -> Query:
    form = str(get(data, "FormId"))
    if form not in COLUMNS:
        raise Refusal(BAD_PARAMETER, f"业务对象“{form}”不存在", "FormId")
    keys = str(get(data, "FieldKeys") or "")
    limit, top = int(get(data, "Limit") or 0), int(get(data, "TopRowCount") or 0)
    return Query(
        form=form,
        columns=tuple(key.strip().lower() for key in keys.split(",") if key.strip()),
        conditions=tuple(read_filter(str(get(data, "FilterString") or ""))),
        order=tuple(read_order(str(get(data, "OrderString") or ""))),
        start=int(get(data, "StartRow") or 0),
        limit=min(number for number in (limit, top, MAX_ROWS) if number > 0),
    )


def read_order(text: str) -> Iterator[tuple[str, bool]]:
    """(column, descending) for each part of `FID ASC, FBillNo DESC`."""
    for part in filter(None, text.split(",")):
        words = part.split()
        yield words[0].lower(), words[-1].lower() == "desc"


class QueryDesk:
    def __init__(self, ledger: Ledger, stocks: Stocks) -> None:
        self._ledger = ledger
        self._stocks = stocks

    def run(self, data: Mapping[str, Any]) -> list[list[Any]]:
        query = read_query(data)
        columns = [query.column(name) for name in query.columns]
        tests = [(query.column(condition.field), condition.holds) for condition in query.conditions]
        found = [row for row in self._rows(query) if all(holds(as_text(column(row))) for column, holds in tests)]
        for name, descending in reversed(query.order):
            found.sort(key=query.column(name), reverse=descending)
        return [[column(row) for column in columns] for row in found[query.start : query.start + query.limit]]

    def _rows(self, query: Query) -> Iterator[Any]:
        if query.form == INVENTORY:
            articles = self._stocks.articles
            levels = self._stocks.erp.levels.items()
            yield from (StockRow(place, sku, level, articles[sku]) for (place, sku), level in levels)
            return
        for bill in self._candidates(query):
            yield from spread(query, bill, self._stocks.articles)

    def _candidates(self, query: Query) -> Iterable[AnyBill]:
        """By number, id or source order where the filter names one: a scan of all bills is the last resort."""
        bills, by_id = self._ledger.bills[query.form], self._ledger.by_id[query.form]
        for condition in query.conditions:
            if condition.field == "fbillno":
                return [bills[number] for number in condition.values if number in bills]
            if condition.field == "fid":
                return [by_id[int(id)] for id in condition.values if id.isdigit() and int(id) in by_id]
            if condition.field == "fsoorderno" and query.form == OUT:
                sources = [self._ledger.bills[SALE].get(number) for number in condition.values]
                return [out for source in sources if source for out in getattr(source, "outstock", [])]
        return list(bills.values())


def spread(query: Query, bill: AnyBill, articles: Mapping[str, Article]) -> Iterator[BillRow]:
    """One row per bill, or per entry or trace where one of their columns is named."""
    entries = bill.entries if query.asks_for(ENTRY_COLUMNS) else [None]
    traces = (getattr(bill, "traces", None) or [{}]) if query.asks_for(TRACE_COLUMNS) else [{}]
    for entry in entries:
        yield from (BillRow(bill, entry, trace, articles) for trace in traces)


def as_text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
