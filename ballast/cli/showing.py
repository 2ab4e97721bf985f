"""What people see in the terminal."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ballast.clock import to_local
from ballast.db.clocks import LateOrder
from ballast.db.holds import HeldRow
from ballast.db.inbox import Waiting
from ballast.db.merging import Alike
from ballast.db.timeline import At, DeliverySeen, ReturnSeen, Timeline
from ballast.domain.deliveries import DeliveryState
from ballast.domain.money import Money
from ballast.domain.return_words import KIND_LABELS, RETURN_LABELS
from ballast.domain.sla import Clock, Level, Limits, Policy
from ballast.domain.stock_check import RULE_LABELS
from ballast.domain.words import DELIVERY_LABELS, HOLD_LABELS, PAID_WAITING, STATE_LABELS, HoldReason, Label, State

if TYPE_CHECKING:
    from ballast.db.finance import FinanceRow
    from tasks.importing import ImportReport
    from tasks.stock import StockReport


def label(of: Label, language: str) -> str:
    return of.zh if language == "zh" else of.en


def advice(of: Label, language: str) -> str:
    return of.advice_zh if language == "zh" else of.advice_en


def local(at: At | None) -> str:
    """China Standard Time, as operations people write it."""
    return to_local(at) if at is not None else ""


def show_order(seen: Timeline, language: str, console: Console) -> None:
    head = seen.order
    paid_waiting = head.state is State.PENDING_PAYMENT and head.paid_at is not None
    state = label(PAID_WAITING if paid_waiting else STATE_LABELS[head.state], language)
    console.print(f"[bold]{head.order_no}[/bold]  {head.state} {state}  {Money(head.total, head.currency)}")
    if seen.archived_at is not None:
        console.print(
            f"{local(seen.archived_at)} 起在归档中；`ballast db recall {head.order_no}` 可取回"
            if language == "zh"
            else f"in the archive since {local(seen.archived_at)}; `ballast db recall {head.order_no}` brings it back"
        )
    if seen.merged_into:
        console.print(f"并入 {seen.merged_into}" if language == "zh" else f"merged into {seen.merged_into}")
    if seen.carries:
        console.print(f"{'已并入的订单:' if language == 'zh' else 'carries'} {', '.join(seen.carries)}")
    if head.hold_reason is not None:
        why = HOLD_LABELS[head.hold_reason]
        console.print(f"[yellow]{head.hold_reason} {label(why, language)}[/yellow]: {advice(why, language)}")
    if head.due_step is not None:
        console.print(f"next: {head.due_step} at {local(head.due_at)} (attempts {head.attempts})")
    _events(seen, console)
    _table(
        console,
        "What each system last said",
        ("system", "field", "code", "means", "time", "words"),
        [(s.system, s.part, s.said, s.event, local(s.happened_at), s.text) for s in seen.said],
    )
    _deliveries(seen, language, console)
    _returns(seen, language, console)
    _table(
        console,
        "Parcels",
        ("carrier", "waybill", "first scan", "signed", "last code"),
        [(p.carrier, p.waybill, local(p.picked_up_at), local(p.signed_at), p.said) for p in seen.parcels],
    )
    _table(
        console,
        "Done outside",
        ("effect", "state", "their number", "error"),
        [(e.key, e.state, e.reference, e.error) for e in seen.effects],
    )


def _events(seen: Timeline, console: Console) -> None:
    rows = [
        (local(e.happened_at), e.actor, e.event, f"{e.from_state} → {e.to_state}" if e.moved else "", e.text)
        for e in seen.events
    ]
    _table(console, "Timeline (China Standard Time)", ("time", "source", "event", "moved", "what"), rows)


def _deliveries(seen: Timeline, language: str, console: Console) -> None:
    """One row for each; pieces by SKU, and of them those that left."""
    skus = {str(line.line_no): line.sku for line in seen.lines}

    def row(one: DeliverySeen) -> Sequence[str]:
        items = ", ".join(
            f"{one.shipped.get(no, 0)}/{count} x {skus.get(no, f'line {no}')}" for no, count in one.items.items()
        )
        state = label(DELIVERY_LABELS[DeliveryState(one.state)], language)
        return one.code, one.warehouse, items, f"{one.state} {state}", local(one.promised_at), one.why

    columns = ("delivery", "warehouse", "left", "state", "promised", "why")
    _table(console, "Deliveries", columns, [row(one) for one in seen.deliveries])


def _returns(seen: Timeline, language: str, console: Console) -> None:
    """One row for each; `ballast returns show` has the rest."""

    def row(one: ReturnSeen) -> Sequence[str]:
        pieces = ", ".join(f"{line.quantity} x {line.sku}" for line in one.lines) or "everything"
        state = f"{label(KIND_LABELS[one.kind], language)}, {label(RETURN_LABELS[one.state], language)}"
        back = ", ".join([*one.refund_nos, one.exchange_order_no or ""]).strip(", ")
        return (
            one.return_no,
            f"{one.kind} {state}",
            pieces,
            f"{one.reason} {one.why}".strip(),
            local(one.asked_at),
            back,
        )

    columns = ("return", "is", "pieces", "why", "asked", "refunds, new order")
    _table(console, "Returns", columns, [row(one) for one in seen.returns])


def _table(console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        return
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in ("order", "clock"))  # whole, for whoever copies it
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    console.print(table)


def show_holds(rows: Sequence[HeldRow], language: str, console: Console) -> None:
    if not rows:
        console.print("nothing is on hold")
        return
    _table(
        console,
        f"{len(rows)} order(s) on hold",
        ("order", "why", "evidence", "since", "who", "what to do"),
        [
            (
                row.order_no,
                _why(row.reason, language),
                row.evidence,
                local(row.held_at),
                row.acknowledged_by or "",
                _advice(row.reason, language),
            )
            for row in rows
        ],
    )


def show_alike(found: Sequence[Alike], console: Console) -> None:
    """Which open orders could be one; the command that does it is the last line."""
    if not found:
        console.print("no open orders are of one customer and address")
        return
    table = Table("orders", "customer", "channel", title=f"{len(found)} could be merged", title_justify="left")
    for one in found:
        table.add_row(", ".join(one.order_nos), one.customer, one.channel)
    console.print(table)
    console.print(f"ballast order merge {' '.join(found[0].order_nos)}", soft_wrap=True)


def show_late(rows: Sequence[LateOrder], now: datetime, console: Console) -> None:
    if not rows:
        console.print("every order is in time")
        return
    _table(
        console,
        f"{len(rows)} over a limit",
        ("order", "level", "clock", "late", "where"),
        [
            (row.order_no, row.level, row.clock, how_long(now - row.due_at), f"{row.state} {row.courier}".strip())
            for row in rows
        ],
    )


def show_policy(policy: Policy, console: Console) -> None:
    """What a policy says, clock by clock and rung by rung, as a person reads it back."""
    _table(
        console,
        "Clocks",
        ("clock", "for", "yellow", "red", "how it counts"),
        [_clock_row(clock, row) for clock in policy.clocks for row in clock.limits],
    )
    rungs = [
        (name, str(number), how_long(rung.after), ", ".join(rung.to), ", ".join(rung.through))
        for name, ladder in policy.ladders.items()
        for number, rung in enumerate(ladder, 1)
    ]
    _table(console, "Ladders", ("ladder", "step", "after", "to", "through"), rungs)
    for warning in policy.warnings:
        console.print(warning, style="yellow", markup=False, soft_wrap=True)
    console.print(f"good: {len(policy.clocks)} clocks, {len(policy.ladders)} ladders, version {policy.version}")


def _clock_row(clock: Clock, row: Limits) -> tuple[str, ...]:
    limits = dict(row.thresholds())
    yellow, red = (f"{limits[level] / timedelta(hours=1):g} h" if level in limits else "" for level in Level)
    counts = [f"{clock.since} to {clock.until}", *["working hours"] * clock.working_hours]
    if clock.pauses:
        counts.append(f"not during {', '.join(sorted(clock.pauses))}")
    return clock.name, str(row.only) or "every order", yellow, red, ", ".join(counts)


def how_long(span: timedelta) -> str:
    """`2 d 3 h`, `5 h 10 min`, `15 min`."""
    minutes = int(span.total_seconds() // 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{rest} min"


def show_finance(rows: Sequence["FinanceRow"], console: Console) -> None:
    from tasks.finance import COLUMNS, as_texts, tally

    if not rows:
        console.print("no second charge, and no money that went back")
        return
    console.print(", ".join(f"{count} {word}" for word, count in tally(rows).items() if count), style="bold")
    for row in rows:
        said = dict(zip(COLUMNS, as_texts(row), strict=True))
        became = [
            f"{name} {said[name]}" for name in ("went back", "on its way", "by hand", "failed", "left") if said[name]
        ]
        # no table: its sixteen columns fit no screen, and numbers must stay whole for whoever copies them
        console.print(f"[bold]{escape(said['order'])}[/bold] {said['state']}: {said['charge']} {said['captured']}")
        for line in (f"{said['provider']} {said['transaction']}", ", ".join(became), said["why"], said["refunds"]):
            if line:
                console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)


def show_waiting(rows: Sequence[Waiting], console: Console) -> None:
    if not rows:
        console.print("nothing waits for its order")
        return
    _table(
        console,
        f"messages wait for {len({row.order_no for row in rows})} order(s); they act once it is there",
        ("order", "from", "messages", "since", "why"),
        [(row.order_no, row.source, str(row.messages), local(row.since), row.why) for row in rows],
    )


def show_stock(report: "StockReport", language: str, console: Console) -> None:
    console.print(report.compared, highlight=False)
    _table(
        console,
        f"{len(report.corrections)} figure(s) {'would be' if report.dry_run else 'were'} mended",
        ("rule", "SKU", "warehouse", "was", "is"),
        [(one.rule, one.sku, one.warehouse, str(one.was), str(one.became)) for one in report.corrections],
    )
    _table(
        console,
        f"{len(report.findings)} figure(s) do not fit",
        ("what", "order", "SKU", "warehouse", "found", "should be", "what to do"),
        [
            (
                f"{one.rule} {label(RULE_LABELS[one.rule], language)}",
                one.order_no,
                one.sku,
                one.warehouse,
                str(one.found),
                str(one.expected),
                advice(RULE_LABELS[one.rule], language),
            )
            for one in report.findings
        ],
    )
    if not report.findings and not report.corrections:
        console.print("every figure that was compared fits")


def _why(reason: HoldReason, language: str) -> str:
    return f"{reason} {label(HOLD_LABELS[reason], language)}"


def _advice(reason: HoldReason, language: str) -> str:
    return advice(HOLD_LABELS[reason], language)


def show_import(report: "ImportReport", console: Console) -> None:
    title = f"{report.file}{' (dry run, nothing was written)' if report.dry_run else ''}"
    counts = [(name, str(value)) for name, value in report.counts().items() if name != "states"]
    counts += [(f"state {state}", str(count)) for state, count in report.counts()["states"].items()]
    _table(console, title, ("figure", "count"), counts)
    for finding in report.findings[:20]:
        console.print(f"{finding.kind}: {finding.order_no}: {escape(finding.text)}")
    for why in report.reasons[:20]:
        console.print(f"[red]refused[/red] {escape(why)}")
    if report.rejects is not None:
        console.print(f"{report.rejected_rows} refused row(s) are in {report.rejects}")
