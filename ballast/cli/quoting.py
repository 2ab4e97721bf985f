"""`ballast quote`: what an order would cost, and why."""

from datetime import datetime
from typing import Annotated, Any

from cyclopts import Parameter

from ballast.cli import app


class QuoteRefused(Exception):
    """The question cannot be answered as it was asked; nothing was changed."""


@app.command
def quote(
    *,
    line: Annotated[list[str], Parameter(help="SKU:PIECES, once per line; SKU:PIECES:PRICE says the shop's own price")],
    customer: str = "",
    tier: Annotated[str | None, Parameter(help="left out: as the customer is known")] = None,
    channel: str = "",
    coupon: Annotated[tuple[str, ...], Parameter(help="a code, once per coupon")] = (),
    freight: Annotated[str, Parameter(help="in major units, e.g. 10.00")] = "0",
    first_order: Annotated[bool | None, Parameter(help="left out: whether the customer is known")] = None,
    at: Annotated[datetime | None, Parameter(help="without zone: China Standard Time; left out: now")] = None,
    currency: str = "CNY",
    json: bool = False,
) -> int:
    """Price some lines with the rules in force: the row that gives each price, why others do not, every promotion.

    Exit 1 when a line has no price. 报价并说明理由
    """
    from adapters.storefronts.direct.questions import read_question
    from ballast.cli.opening import aware, print_json, with_house
    from ballast.quoting import answer

    begun = aware(at)
    asked = read_question(
        {
            "lines": [_line(text, currency) for text in line], "customer": customer, "tier": tier,
            "first_order": first_order, "channel": channel, "at": begun.isoformat() if begun else None,
            "currency": currency, "freight": _minor("--freight", freight, currency), "coupons": list(coupon),
        }
    )  # fmt: skip
    said = with_house(lambda here: answer(here, asked))
    if json:
        print_json(said)
    else:
        show_quote(said)
    return 1 if said["unpriced"] else 0


def _line(text: str, currency: str) -> dict[str, Any]:
    sku, _, rest = text.partition(":")
    pieces, _, price = rest.partition(":")
    if not sku or not pieces.isascii() or not pieces.isdecimal():
        raise QuoteRefused(f"--line {text!r}: write SKU:PIECES, e.g. SKU-001:2")
    own = _minor(f"--line {text!r}", price, currency) if price else None
    return {"sku": sku, "quantity": int(pieces[:9]), "unit_price": own}


def _minor(option: str, text: str, currency: str) -> int:
    from ballast.domain.money import Money

    try:
        return Money.from_major(text, currency).amount
    except ValueError as wrong:
        raise QuoteRefused(f"{option}: {wrong}") from None


def show_quote(said: dict[str, Any], *, own_total: int | None = None) -> None:
    """For people. `own_total`: what the order itself says, minor units."""
    from rich.console import Console

    from ballast.domain.money import Money
    from ballast.domain.rules.price_rows import LIST

    def money(amount: int | None) -> str:
        return "-" if amount is None else Money(amount, said["currency"]).major()

    console = Console(soft_wrap=True, highlight=False, markup=False)
    versions = ", ".join(f"{kind} v{version}" for kind, version in said["versions"].items())
    buyer = f"{said['customer'] or 'nobody known'}, tier {said['tier'] or 'none'}"
    console.print(f"{buyer}, {'first order' if said['first_order'] else 'returning'}; rules: {versions}")
    for one in said["lines"]:
        why = (
            "list price"
            if one["kind"] == LIST
            else f"{one['kind']} {one['row']}".strip() or "no row has a price for it"
        )
        console.print(f"line {one['line_no']}  {one['sku']} x {one['quantity']}  {money(one['price'])} each  ({why})")
        for other in one["passed_over"]:
            console.print(f"    not {other['row']}: {other['why']}")
    for one in said["promotions"]:
        off = one["off"] + one["freight_off"]
        console.print(f"{one['fate']:<9} {one['name']}  {'-' + money(off) if off else ''}  {one['why']}")
    if said["unknown_coupons"]:
        console.print(f"no promotion in force has the code(s) {', '.join(said['unknown_coupons'])}")
    for gift in said["gifts"]:
        console.print(f"gift      {gift['sku']} x {gift['quantity']}  ({gift['promotion']})")
    if said["cut"]:
        console.print(f"{money(said['cut'])} was cut off: nothing is sold below its floor or below zero")
    console.print(f"goods {money(said['goods'])} + freight {money(said['freight'])} = {money(said['payable'])} to pay")
    if own_total is not None:
        console.print(f"the order itself says {money(own_total)}")
    if said["unpriced"]:
        console.print(f"without a price, not in the sum: line(s) {', '.join(map(str, said['unpriced']))}")
