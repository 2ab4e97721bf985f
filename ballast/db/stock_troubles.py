"""What is wrong with the stock of a place, from when on until when: told once when it begins, ended when it is over."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.alerts import end_alerts, raise_alerts
from ballast.db.engine import dumps, rows, run
from ballast.db.promises import MOST_AGE, PROMISES
from ballast.domain.stock import Place
from ballast.domain.stock_troubles import TROUBLE_LABELS, Trouble

EVERYWHERE: Final[Place] = ("", "")
"""The place of a trouble that is not about a single one."""

MOST_ALERTS: Final = 20
"""More that begin at the same moment share one alert: a new list of safety lines is one piece of news."""


@dataclass(frozen=True, slots=True)
class Noted:
    """How many troubles began, were over, and were told to people just now."""

    began: int
    over: int
    told: int


async def note(
    tx: AsyncConnection,
    kind: Trouble,
    found: Mapping[Place, str],
    now: datetime,
    *,
    among: Collection[Place] | None = None,
    patient: bool = False,
) -> Noted:
    """These places have this trouble, with what is to be said of it; all others of `among` (None: of all) do not.

    `patient`: it is told when it is found the second time.
    """
    values = [{"sku": sku, "warehouse": warehouse, "text": text} for (sku, warehouse), text in found.items()]
    return await _note(tx, kind, _GIVEN, now, among, patient, rows=dumps(values))


async def note_lines(tx: AsyncConnection, now: datetime) -> Noted:
    """Whatever has a safety line, against what can be promised now: locks and reservations move it, too."""
    wide = await rows(tx, "select 1 from stock_limit where sku = '' and safety_line > 0 limit 1")
    levels = "true" if wide else _WITH_LINE
    source = _BELOW.format(promises=PROMISES.format(reserved="", levels=levels))
    parts: dict[str, Any] = {"but": [], "most_age": MOST_AGE.total_seconds()}
    return await _note(tx, Trouble.BELOW_LINE, source, now, None, False, **parts)


async def note_drift(tx: AsyncConnection, places: Collection[Place], most: int, now: datetime) -> Noted:
    """Compare what the warehouse counted at these places with the ledger, which had taken off what has left."""
    found = await rows(
        tx,
        """
        select sku, warehouse, c.on_hand, c.free + c.frozen as counted from warehouse_level c
        join jsonb_to_recordset(cast(:places as jsonb)) as r(sku text, warehouse text) using (sku, warehouse)
        where abs(c.free + c.frozen - c.on_hand) > :most""",
        places=_places(places),
        most=most,
    )
    texts = {(r.sku, r.warehouse): f"ERP {r.on_hand}, warehouse {r.counted} (free and frozen)" for r in found}
    return await note(tx, Trouble.DRIFT, texts, now, among=places, patient=True)


async def open_troubles(tx: AsyncConnection, kind: Trouble, most: int | None) -> Sequence[Any]:
    """(sku, warehouse, since, text) of what is wrong now, the newest first."""
    return await rows(
        tx,
        """
        select sku, warehouse, since, text from stock_trouble where kind = :kind
        order by since desc, sku, warehouse limit :most""",
        kind=kind,
        most=most,
    )


async def below_line(tx: AsyncConnection) -> list[str]:
    """The SKUs that were below their line when the lines were looked at last, somewhere."""
    found = await rows(tx, "select distinct sku from stock_trouble where kind = 'below_line' order by sku")
    return [row.sku for row in found]


_GIVEN: Final = """
select sku, warehouse, text from jsonb_to_recordset(cast(:rows as jsonb)) as r(sku text, warehouse text, text text)
"""
_BELOW: Final = """
select sku, warehouse, to_promise || ' to promise, its safety line is ' || safety_line as text
from ({promises}) p where to_promise < safety_line
"""
_WITH_LINE: Final = "v.sku = any(array(select sku from stock_limit where sku <> '' and safety_line > 0))"
_AMONG: Final = """(sku, warehouse) in (select sku, warehouse
    from jsonb_to_recordset(cast(:among as jsonb)) as a(sku text, warehouse text))"""

_NOTE: Final = """
with found as materialized ({source}),
fresh as (
  insert into stock_trouble (kind, sku, warehouse, since, text)
  select :kind, sku, warehouse, cast(:now as timestamptz), text from found order by sku, warehouse
  on conflict (kind, sku, warehouse) do nothing returning sku, warehouse, text),
again as (
  select s.sku, s.warehouse, f.text from stock_trouble s join found f using (sku, warehouse)
  where s.kind = :kind and s.alert_key is null and s.since < :now),
over as (
  delete from stock_trouble s where kind = :kind and {among}
    and not exists (select from found f where f.sku = s.sku and f.warehouse = s.warehouse)
  returning alert_key)
select 'fresh' as what, sku, warehouse, text from fresh
union all select 'again', sku, warehouse, text from again
union all select 'over', null, null, alert_key from over
"""


async def _note(
    tx: AsyncConnection,
    kind: Trouble,
    source: str,
    now: datetime,
    among: Collection[Place] | None,
    patient: bool,
    **params: Any,
) -> Noted:
    if among is not None:
        params["among"] = _places(among)
    sql = _NOTE.format(source=source, among="true" if among is None else _AMONG)
    noted = await rows(tx, sql, kind=kind, now=now, **params)
    fresh = [row for row in noted if row.what == "fresh"]
    over = [row.text for row in noted if row.what == "over"]
    tell = [row for row in noted if row.what == "again"] if patient else fresh
    await _tell(tx, kind, tell, now)
    await _end(tx, {key for key in over if key}, now)
    return Noted(len(fresh), len(over), len(tell))


async def _tell(tx: AsyncConnection, kind: Trouble, found: Sequence[Any], now: datetime) -> None:
    """One alert each, or one for all. The key holds the moment: the same trouble rings again when it comes back."""
    many = len(found) > MOST_ALERTS
    alerts = [_of_many(kind, found, now)] if many else [_of_one(kind, row, now) for row in found]
    await raise_alerts(tx, alerts, now)
    keys = [alert["key"] for alert in alerts] * (len(found) if many else 1)
    told = [{"sku": row.sku, "warehouse": row.warehouse, "key": key} for row, key in zip(found, keys, strict=True)]
    if told:
        await run(
            tx,
            """
            update stock_trouble s set alert_key = r.key
            from jsonb_to_recordset(cast(:rows as jsonb)) as r(sku text, warehouse text, key text)
            where s.kind = :kind and s.sku = r.sku and s.warehouse = r.warehouse""",
            rows=dumps(told),
            kind=kind,
        )


def _of_one(kind: Trouble, row: Any, now: datetime) -> dict[str, Any]:
    label = TROUBLE_LABELS[kind]
    place = f"{row.sku} in {row.warehouse}: " if (row.sku, row.warehouse) != EVERYWHERE else ""
    return {
        "key": f"stock-{kind}:{row.sku}:{row.warehouse}:{now.isoformat()}",
        "level": "warning",
        "title": f"{place}{label.en} {label.zh}",
        "text": f"{row.text}; {label.advice_en} {label.advice_zh}",
    }


def _of_many(kind: Trouble, found: Sequence[Any], now: datetime) -> dict[str, Any]:
    label = TROUBLE_LABELS[kind]
    first = "; ".join(f"{row.sku} in {row.warehouse}: {row.text}" for row in found[:5])
    return {
        "key": f"stock-{kind}:many:{now.isoformat()}",
        "level": "warning",
        "title": f"{len(found)} places at once: {label.en} {label.zh}",
        "text": f"first: {first}; all of them: `ballast stock troubles`. {label.advice_en} {label.advice_zh}",
    }


async def _end(tx: AsyncConnection, keys: set[str], now: datetime) -> None:
    """An alert about many is over when the last of them is."""
    if keys:
        left = await rows(
            tx, "select alert_key from stock_trouble where alert_key = any(cast(:keys as text[]))", keys=sorted(keys)
        )
        await end_alerts(tx, now, keys=sorted(keys - {row.alert_key for row in left}))


def _places(places: Collection[Place]) -> str:
    return dumps([{"sku": sku, "warehouse": warehouse} for sku, warehouse in places])
