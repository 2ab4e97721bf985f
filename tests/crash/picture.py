"""What stands in the books and what the world knows, as plain dictionaries in which two runs can be compared.

Left out is what may differ between two runs without meaning anything: ids, times, versions, attempts, vendors' numbers.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.flows.stage import Stage

BOOKS = {
    "orders": """
        select order_no, state, held_from, hold_reason, due_step, warehouse, progress, paid_at is not null as paid,
          locked_at is not null as locked, outbound_at is not null as outbound, signed_at is not null as signed,
          closed_at is not null as closed from sales_order""",
    "lines": "select order_no, sku, quantity, shipped from order_line l join sales_order o on o.id = l.order_id",
    "parcels": """
        select order_no, waybill, p.carrier, items, p.picked_up_at is not null as picked_up,
          p.signed_at is not null as signed, said from parcel p join sales_order o on o.id = p.order_id""",
    "payments": """
        select order_no, transaction_id, amount, p.state from payment p join sales_order o on o.id = p.order_id""",
    "refunds": """
        select order_no, refund_no, transaction_id, amount, r.state, why from refund r
        join sales_order o on o.id = r.order_id""",
    "holds": """
        select order_no, reason, h.held_from, released_at is not null as released from hold h
        join sales_order o on o.id = h.order_id""",
    "changes": "select order_no, e.state, answer from order_edit e join sales_order o on o.id = e.order_id",
    "merged": "select leader, order_no, lines from order_merge m join sales_order o on o.id = m.order_id",
    "deliveries": "select code, warehouse, items, shipped, waybills, state from delivery",
    "returns": """
        select order_no, return_no, kind, r.state, counts, rule, refund_nos from return_case r
        join sales_order o on o.id = r.order_id""",
    "return_lines": """
        select return_no, line_no, quantity, good, damaged, amount, told_at is not null as told from return_line""",
    "history": """
        select order_no, event, from_state, to_state, moved, actor from order_event e
        join sales_order o on o.id = e.order_id""",
    "said": """
        select order_no, system, part, said from external_status s join sales_order o on o.id = s.order_id""",
    "effects": "select key, kind, state from effect",
    "messages": "select key, done_at is not null as done, note from outbox",
    "alerts": """
        select split_part(key, concat(':', '20'), 1) as key, level, title, n.rung, n.channel,
          n.sent_at is not null as sent from alert a left join alert_notice n on n.alert_id = a.id""",
    "breaches": """
        select order_no, clock, level, ended_at is not null as ended from sla_breach b
        join sales_order o on o.id = b.order_id""",
    "unread": "select source, event_id, state, note from inbox where state <> 'done'",
    "stock": "select sku, warehouse, on_hand, locked, short from stock_level",
    "locks": """
        select order_no, sku, k.warehouse, quantity, k.state, told_at is not null as told from stock_lock k
        join sales_order o on o.id = k.order_id""",
}
WAY = """
    select order_no, event, to_state from order_event e join sales_order o on o.id = e.order_id
    where moved order by e.id"""
"""The moves of each order in the order in which they happened, whichever order came first; the history has no order."""

REPEATABLE = ("robot_message", "subscription")
"""Counts in which what cannot be read back is seen twice: see `_repeatable`."""


@dataclass(frozen=True, slots=True)
class Before:
    """What the world had counted and heard when the story began."""

    accepted: Mapping[str, int]
    messages: int

    @classmethod
    async def look(cls, stage: Stage) -> "Before":
        counts = (await stage.world.get("effects"))["counts"]
        return cls(counts, len((await stage.world.get("messages"))["messages"]))


async def take_picture(stage: Stage, roles: Mapping[str, str], before: Before) -> dict[str, Any]:
    """Everything about these orders (number -> role in the story)."""
    truths = {no: await stage.world.truth(no) for no in roles}
    names = _names(roles, truths)
    effects = await stage.world.get("effects")
    accepted = Counter(effects["counts"])
    accepted.subtract(before.accepted)
    return {
        **{part: sorted(await _rows(stage, sql, names), key=str) for part, sql in BOOKS.items()},
        "way": sorted(await _rows(stage, WAY, names), key=lambda move: str(move["order_no"])),
        "world": [part for no, role in roles.items() for part in _outside(role, _renamed(truths[no], names))],
        "accepted": {kind: count for kind, count in accepted.items() if count and kind not in REPEATABLE},
        "duplicates": {kind: count for kind, count in effects["duplicates"].items() if count},
        "oversold": effects["oversold"],
        "repeatable": await _repeatable(stage, names, truths, before),
    }


def differences(picture: Mapping[str, Any], undisturbed: Mapping[str, Any]) -> list[str]:
    """What is in one and not in the other. What cannot be read back may have been done once more."""
    repeated, once = picture["repeatable"], undisturbed["repeatable"]
    wrong = [
        f"{what}: {count} times instead of {once.get(what, 0)}"
        for what, count in repeated.items()
        if not 0 < once.get(what, 0) <= count <= once.get(what, 0) + 1
    ]
    for part in ({**picture, **undisturbed}).keys() - {"repeatable"}:
        seen, expected = _lines(picture[part]), _lines(undisturbed[part])
        wrong += [f"{part}: + {line}" for line in (seen - expected).elements()]
        wrong += [f"{part}: - {line}" for line in (expected - seen).elements()]
        if not wrong and picture[part] != undisturbed[part]:
            wrong.append(f"{part}: in another order {picture[part]}")
    return wrong + [f"{what}: not at all" for what in once.keys() - repeated.keys()]


def _lines(part: Any) -> Counter[str]:
    return Counter(map(str, part.items() if isinstance(part, dict) else part))


async def _repeatable(
    stage: Stage, names: Mapping[str, str], truths: Mapping[str, Mapping[str, Any]], before: Before
) -> dict[str, int]:
    """How often each alert was said and each parcel subscribed.

    Neither can be read back, so after a crash it may be made once more: the courier takes a second subscription for the
    first, and for people a message that comes twice is better than none.
    """
    heard = (await stage.world.get("messages"))["messages"][before.messages :]
    said = [json.dumps(one["message"], ensure_ascii=False) for one in heard]
    alerts = await stage.rows("select split_part(key, concat(':', '20'), 1) as key, title from alert")
    parcels = [parcel for truth in truths.values() for parcel in truth["parcels"]]
    return {
        **{_renamed(row.key, names): sum(row.title in text for text in said) for row in alerts},
        **{names[parcel["waybill"]]: parcel["subscribed"] for parcel in parcels},
    }


async def _rows(stage: Stage, sql: str, names: Mapping[str, str]) -> list[dict[str, Any]]:
    found = await stage.rows(sql)
    return [_renamed(dict(row._mapping), names) for row in found]


def _names(roles: Mapping[str, str], truths: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Numbers that are new in every run -> what they are called in every picture; the longest first."""
    names = dict(roles)
    for no, truth in truths.items():
        payments = [payment["transaction_id"] for payment in truth["payments"]]
        names |= {number: f"{roles[no]}-charge-{place}" for place, number in enumerate(payments, 1)}
        parcels = [parcel["waybill"] for parcel in truth["parcels"]]
        names |= {number: f"{roles[no]}-parcel-{place}" for place, number in enumerate(parcels, 1)}
    return dict(sorted(names.items(), key=lambda pair: -len(pair[0])))


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    text = json.dumps(value, ensure_ascii=False)
    for number, name in names.items():
        text = text.replace(number, name)
    return json.loads(text)


def _outside(role: str, truth: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What the world knows of one order, without times and numbers of its own making."""
    sale, shop = truth["erp"]["sale_order"], {**truth["shop"], "tracking": sorted(truth["shop"]["tracking"])}
    parts = {
        "payments": _without(truth["payments"], "paid_at"),
        "refunds": _without(truth["refunds"], "done_at"),
        "sale_order": _without([sale] if sale else [], "number"),
        "outstock": _without(truth["erp"]["outstock"], "number"),
        "receipt_told": truth["erp"]["receipt_told"],
        "warehouse": {name: value for name, value in truth["wms"].items() if name != "addresses"},  # everybody's own
        "parcels": _without(truth["parcels"], "picked_up_at", "signed_at", "subscribed"),
        "shop": _without([shop], "received_at"),
    }
    for part, known in parts.items():
        yield {"order": role, part: known}


def _without(rows: Sequence[Mapping[str, Any]], *names: str) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in names} for row in rows]
