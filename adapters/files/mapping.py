"""The mapping: which column of whose file means what. A YAML file that people write, checked before a row is read."""

from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Literal, Self, TypeVar
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ballast.domain.money import MINOR_DIGITS
from ballast.domain.returns import ReturnReason

MOST_BYTES = 256 * 1024


class MappingError(Exception):
    """The mapping file is wrong: mend the key that is named, then start again. Nothing was imported."""


class RecordedState(StrEnum):
    """How far an order of the file has got: what its own status word is mapped to."""

    PENDING_PAYMENT = "PENDING_PAYMENT"  # not paid
    PAID = "PAID"  # paid, no stock reserved yet; Ballast would lock it
    STOCK_LOCKED = "STOCK_LOCKED"  # the warehouse has the order already; Ballast would wait for its news
    OUTBOUND = "OUTBOUND"  # left the warehouse
    IN_TRANSIT = "IN_TRANSIT"  # with the courier
    SIGNED = "SIGNED"  # the customer has it
    CLOSED = "CLOSED"  # the customer has it and can no longer return it
    CANCELLED = "CANCELLED"  # given up before it left
    REFUNDED = "REFUNDED"  # the money went back before the goods left
    ON_HOLD = "ON_HOLD"  # stopped, as far as its recorded times say


class Part(BaseModel):
    """Strict: a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


P = TypeVar("P", bound=Part)


class Section(Part):
    """Columns of one table: our field -> their column. `defaults` stand in for a missing column or an empty cell."""

    fields: ClassVar[frozenset[str]] = frozenset()
    columns: dict[str, str] = Field(default_factory=dict)
    defaults: dict[str, str] = Field(default_factory=dict)

    @field_validator("columns", "defaults")
    @classmethod
    def _known(cls, named: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(set(named) - cls.fields):
            there = ", ".join(sorted(cls.fields))
            raise ValueError(f"{', '.join(unknown)}: no such field; the fields here are {there}")
        if empty := [name for name, value in named.items() if not value]:
            raise ValueError(f"{', '.join(empty)}: is left empty; take the key out")
        return named

    def knows(self, field: str) -> bool:
        return field in self.columns or field in self.defaults


CUSTOMER_FIELDS = frozenset({
    "customer_no", "customer_name", "customer_tier", "openid", "receiver_name", "mobile", "province", "city",
    "district", "address",
})  # fmt: skip
MILESTONES = ("paid_at", "locked_at", "outbound_at", "picked_up_at", "signed_at", "closed_at")
"""Recorded times after `placed_at`, in the order of the life cycle."""


class OrdersSection(Section):
    """The main table: one row per order, or one row per line when `lines` names no table of its own."""

    fields = CUSTOMER_FIELDS | set(MILESTONES) | {
        "order_no", "status", "channel", "placed_at", "freight", "discount", "carrier", "waybill",
    }  # fmt: skip
    sheet: str | None = None


class RelatedSection(Section):
    """A table of its own (`file`, or `sheet` of the same workbook), found by its column `key`."""

    file: str | None = None
    sheet: str | None = None
    key: str | None = None

    @property
    def apart(self) -> bool:
        """Whether it is a table of its own; otherwise its columns stand in the rows of the main table."""
        return self.file is not None or self.sheet is not None

    @model_validator(mode="after")
    def _has_key(self) -> Self:
        if self.apart and not self.key:
            raise ValueError("key: name the column that holds the order number (for customers: the customer's key)")
        if not self.apart and self.key:
            raise ValueError("key: only a table of its own (`file` or `sheet`) has a key column")
        return self


class CustomersSection(RelatedSection):
    """One row per customer. `joins` is the column of the main table that holds its key."""

    fields = CUSTOMER_FIELDS
    joins: str

    @model_validator(mode="after")
    def _is_apart(self) -> Self:
        if not self.apart:
            raise ValueError("file: name a file or a sheet, or put these columns under orders")
        return self


class LinesSection(RelatedSection):
    fields = frozenset({"sku", "name", "quantity", "unit_price", "amount", "freight"})

    @model_validator(mode="after")
    def _has_price(self) -> Self:
        if not self.knows("sku"):
            raise ValueError("columns.sku: name the column of the SKU")
        if not self.knows("unit_price") and not self.knows("amount"):
            raise ValueError("columns: name unit_price (of a piece) or amount (of the line)")
        return self


class PaymentsSection(RelatedSection):
    """Charges. Without a table of its own: one charge per order, in its main row."""

    fields = frozenset({"sequence", "method", "amount", "paid_at"})

    @model_validator(mode="after")
    def _has_amount(self) -> Self:
        if not self.knows("amount"):
            raise ValueError("columns.amount: name the column of the amount")
        return self


REASONS = {
    reason.value: reason
    for reason in ReturnReason
    if reason not in (ReturnReason.CANCELLED_LATE, ReturnReason.NOT_DELIVERED)  # nobody asks for these
}
"""What a customer may give as the reason of a return."""


class ReturnsSection(RelatedSection):
    """What came back after the signature: a row per order, line or article. Without a table of its own: in the main
    rows, of the line that stands there. `reasons`: their word -> ours; a word that is not here is `other`.
    """

    fields = frozenset({"requested_at", "returned_at", "line", "sku", "quantity", "refunded", "reason"})
    reasons: dict[str, ReturnReason] = Field(default_factory=dict)

    @field_validator("reasons", mode="before")
    @classmethod
    def _read_reasons(cls, named: object) -> object:
        """Strict models take enum members only; YAML has their names."""
        if not isinstance(named, dict):
            return named
        if wrong := [word for word in named.values() if word not in REASONS]:
            raise ValueError(f"{wrong[0]!r} is no reason; reasons are {', '.join(REASONS)}")
        return {word: REASONS[reason] for word, reason in named.items()}

    @model_validator(mode="after")
    def _has_time(self) -> Self:
        if "returned_at" not in self.columns:
            raise ValueError("columns.returned_at: name the column that says when the goods were back")
        if self.knows("line") and self.knows("sku"):
            raise ValueError("columns: name line (its number in the order) or sku, not both")
        return self


class FormatRules(Part):
    """How CSV files are written. The delimiter is found by the header when it is not named."""

    encoding: Literal["utf-8", "gb18030", "utf-16", "cp1252"] = "utf-8"
    delimiter: Literal[",", ";", "\t", "|"] | None = None
    decimal: Literal[".", ","] = "."


class MoneyRules(Part):
    unit: Literal["yuan", "major", "cents", "minor"]
    currency: str = "CNY"

    @property
    def minor(self) -> bool:
        return self.unit in ("cents", "minor")

    @field_validator("currency")
    @classmethod
    def _known(cls, currency: str) -> str:
        if currency not in MINOR_DIGITS:
            raise ValueError(f"{currency!r} is unknown, known are {', '.join(sorted(MINOR_DIGITS))}")
        return currency


def check_zone(zone: str) -> str:
    """The name as it is. Raises ValueError for a zone that there is not."""
    try:
        ZoneInfo(zone)
    except (KeyError, OSError, ValueError):  # unknown; a folder of zones, as `America`; not a name at all
        raise ValueError(f"{zone!r} is no IANA zone; for example Asia/Shanghai") from None
    return zone


class TimeRules(Part):
    """`zone` is that of times without offset; without it there may be none. `ambiguous`: which one is meant when clocks
    go back."""

    zone: str | None = None
    formats: tuple[str, ...] = Field(default=(), strict=False)
    ambiguous: Literal["reject", "earlier", "later"] = "reject"

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str | None) -> str | None:
        return None if zone is None else check_zone(zone)


NEEDED = ("status", "placed_at", "customer_no", "receiver_name", "mobile", "address")


class FileMapping(Part):
    """The whole mapping file."""

    orders: OrdersSection
    customers: CustomersSection | None = None
    lines: LinesSection
    payments: PaymentsSection | None = None
    returns: ReturnsSection | None = None
    statuses: dict[str, RecordedState] = Field(min_length=1)
    money: MoneyRules
    times: TimeRules = TimeRules()
    format: FormatRules = FormatRules()
    open_orders: Literal["carry_on", "record_only"]

    @field_validator("statuses", mode="before")
    @classmethod
    def _read_states(cls, named: object) -> object:
        """Strict models take enum members only; YAML has their names."""
        if not isinstance(named, dict):
            return named
        states = {str(state): state for state in RecordedState}
        if wrong := [word for word in named.values() if word not in states]:
            raise ValueError(f"{wrong[0]!r} is no state; states are {', '.join(states)}")
        return {word: states[state] for word, state in named.items()}

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if "order_no" not in self.orders.columns:
            raise ValueError("orders.columns.order_no: name the column of the order number")
        for field in NEEDED:
            if not self.orders.knows(field) and not (self.customers and self.customers.knows(field)):
                raise ValueError(f"{field}: name a column for it, or a default, under orders or customers")
        if self.orders.knows("freight") and self.lines.knows("freight"):
            raise ValueError("freight: per order or per line, not both")
        if self.orders.knows("carrier") != self.orders.knows("waybill"):
            raise ValueError("orders.columns: carrier and waybill go together")
        return self


class _Loader(yaml.BaseLoader):
    """Every value is the text that was written: a column called `no` is not a boolean, and 007 keeps its noughts.

    A key that stands twice is an error: YAML would let the last one win, silently.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_mapping(path: Path) -> FileMapping:
    """Read and check a mapping file. Raises `MappingError` that names the file and every wrong key."""
    mapping = _read(path)
    if mapping.times.zone is None:
        raise MappingError(
            f"the mapping is not usable:\n  {path.name}: times.zone: name the zone of times without an offset, "
            "for example Asia/Shanghai"
        )
    return mapping


def read_history_mapping(path: Path, zone: str | None) -> FileMapping:
    """The same for a history: `zone` takes the place of the mapping's. With neither, every time needs an offset."""
    mapping = _read(path)
    if zone is None:
        return mapping
    try:
        times = mapping.times.model_copy(update={"zone": check_zone(zone)})
    except ValueError as wrong:
        raise MappingError(f"--zone: {wrong}") from None
    return mapping.model_copy(update={"times": times})


def _read(path: Path) -> FileMapping:
    return read_as(path, FileMapping)


def read_as(path: Path, kind: type[P]) -> P:
    """Read and check a mapping file of this kind. Raises `MappingError` that names the file and every wrong key."""
    try:
        raw = path.read_bytes()
        if len(raw) > MOST_BYTES:
            raise MappingError(f"{path.name}: larger than {MOST_BYTES // 1024} KB; is this the mapping?")
        data = yaml.load(raw, _Loader)  # noqa: S506  # a BaseLoader makes texts, lists and dicts only
    except OSError as wrong:
        raise MappingError(f"{path}: cannot be read: {wrong.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as wrong:
        raise MappingError(f"{path.name}: is not YAML: {wrong}") from None
    try:
        return kind.model_validate(data)
    except ValidationError as wrong:
        lines = [_wrong_key(path.name, dict(error)) for error in wrong.errors(include_url=False)]
        raise MappingError("the mapping is not usable:\n" + "\n".join(lines)) from None


def _wrong_key(file: str, error: dict[str, object]) -> str:
    loc = error["loc"]
    assert isinstance(loc, tuple)
    key = ".".join(str(part) for part in loc if part != "[key]")
    hint = " (no such key)" if error["type"] == "extra_forbidden" else ""
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"  {file}: {key + ': ' if key else ''}{message}{hint}"
