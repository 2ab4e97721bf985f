"""What an order would cost by the rules in force: the answer of `POST /quote` and of `ballast quote`."""

from typing import Any

from adapters.storefronts.direct.questions import AskedQuote
from ballast.db.customers import find_customer
from ballast.domain.rules.prices import Wanted
from ballast.rules.appraisal import Question, appraise
from ballast.rules.quotes import quote_of
from ballast.wiring import House


async def answer(here: House, asked: AskedQuote) -> dict[str, Any]:
    """The quote as JSON, see `quote_of`. What is not said of a known customer is looked up."""
    async with here.transaction() as tx:
        now = here.clock.now()
        rules = await here.rules.current(tx, now)
        known = await find_customer(tx, asked.customer) if asked.customer else None
    tier = asked.tier if asked.tier is not None else known.tier if known else ""
    question = Question(
        lines=[
            Wanted(line_no=line.line_no or place, sku=line.sku, quantity=line.quantity, own_price=line.unit_price)
            for place, line in enumerate(asked.lines, 1)
        ],
        at=asked.at or now, currency=asked.currency, freight=asked.freight, channel=asked.channel,
        customer=asked.customer, tier=tier, coupons=tuple(asked.coupons), province=asked.province, city=asked.city,
        first_order=asked.first_order if asked.first_order is not None else known is None,
    )  # fmt: skip
    return quote_of(rules, question, appraise(rules, question, explain=asked.explain), explain=asked.explain)
