"""What the gates are measured with: a price book of 200 rows, 20 promotions, and orders that agree with them."""

import random
import time
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from ballast.domain.rules.prices import PriceKind, PriceRow, PriceSet, Product, Wanted
from ballast.domain.rules.promotions import Promotion, PromotionKind, PromotionSet
from ballast.ports import Line
from ballast.rules.appraisal import Question, appraise, judge
from ballast.rules.books import Kind
from ballast.rules.compiled import Compiled, Part, assemble, compile_rules, default_part

ROWS: Final = 200
PROMOTIONS: Final = 20
LINES: Final = 5
SKUS: Final = tuple(f"SKU-{n:03}" for n in range(50))
LIST_PRICES: Final = {sku: 40_00 + n * 100 for n, sku in enumerate(SKUS)}
_TIERS: Final = ("silver", "gold", "wholesale")
_KINDS: Final[tuple[tuple[PromotionKind, dict[str, Any]], ...]] = (
    (PromotionKind.SPEND_OFF, {"threshold": 300_00, "off": 10_00}),
    (PromotionKind.PERCENT, {"pays": 9_500}),
    (PromotionKind.COUPON, {"off": 5_00, "threshold": 100_00}),
    (PromotionKind.SPEND_OFF, {"threshold": 500_00, "off": 20_00, "when": "amount > 500 and tier == 'gold'"}),
)


def price_set() -> PriceSet:
    """50 products and `ROWS` rows: prices of tiers by quantity, and of contracts."""
    products = {
        sku: Product(sku=sku, series=f"series-{n % 5}", list_price=LIST_PRICES[sku], floor=5_00)
        for n, sku in enumerate(SKUS)
    }
    rows = tuple(
        PriceRow(
            row=f"row-{n}",
            kind=PriceKind.CONTRACT if n % 4 == 3 else PriceKind.TIER,
            customer=f"C{n}" if n % 4 == 3 else "",
            tier="" if n % 4 == 3 else _TIERS[n % 4],
            sku=SKUS[n // 4],
            from_quantity=1 + n % 4,
            price=30_00 + n,
        )
        for n in range(ROWS)
    )
    return PriceSet(products=products, tiers=_TIERS, rows=rows)


def promotion_set() -> PromotionSet:
    """`PROMOTIONS` of them: by threshold, share and coupon, a quarter with a condition."""
    made = []
    for n in range(PROMOTIONS):
        kind, fields = _KINDS[n % len(_KINDS)]
        code = f"CODE{n}" if kind is PromotionKind.COUPON else ""
        made.append(
            Promotion(name=f"p{n}", kind=kind, priority=n + 1, series=(f"series-{n % 5}",), code=code, **fields)
        )
    return PromotionSet(promotions=tuple(made))


def compiled(*, prices: bool = True) -> Compiled:
    """The default risk rules, and with `prices` the book and the promotions."""
    parts = {kind: default_part(kind)[0] for kind in Kind}
    if prices:
        parts[Kind.PRICE] = Part(1, compile_rules(price_set()))
        parts[Kind.PROMOTION] = Part(1, compile_rules(promotion_set()))
    return assemble(parts)


@cache
def payable(skus: tuple[str, ...]) -> int:
    """What one piece of each costs a customer without tier or contract, at whatever time."""
    lines = [Wanted(line_no=n, sku=sku, quantity=1) for n, sku in enumerate(skus, 1)]
    return appraise(_rules(), Question(lines=lines, at=datetime(2026, 1, 1, tzinfo=UTC))).calculation.payable


_rules = cache(compiled)


def per_second(orders: int, now: datetime) -> dict[str, float]:
    """Orders of `LINES` lines that are priced, and judged against their own figures, by one core in a second."""
    rules, rng = _rules(), random.Random(1)  # noqa: S311  # no secret
    skus = [*rules.price_set.products]
    asked = [
        Question(
            lines=[
                Wanted(line_no=n + 1, sku=sku, quantity=rng.randint(1, 9), own_price=40_00)
                for n, sku in enumerate(rng.sample(skus, LINES))
            ],
            at=now,
            customer=f"C{rng.randint(0, 400)}",
            tier=rng.choice(["", *_TIERS]),
            coupons=("CODE2",) if rng.random() < 0.2 else (),
        )
        for _ in range(orders)
    ]
    own = [[Line(line_no=one.line_no, sku=one.sku, name="", quantity=one.quantity, unit_price=40_00,
                 amount=40_00 * one.quantity) for one in question.lines] for question in asked]  # fmt: skip
    began = time.process_time()
    for question in asked:
        appraise(rules, question)
    priced = time.process_time() - began
    began = time.process_time()
    for question, lines in zip(asked, own, strict=True):
        judge(rules, question, lines, sum(line.amount for line in lines))
    return {"priced": orders / priced, "judged": orders / (time.process_time() - began)}
