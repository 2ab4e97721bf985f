"""Random rule sets, as people could write them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from ballast.domain.rules.prices import PriceKind, PriceOptions, PriceRow, PriceSet, Product
from ballast.domain.rules.promotions import Choice, Promotion, PromotionKind, PromotionOptions, PromotionSet
from ballast.domain.rules.risk import Action, RiskOptions, RiskRule, RiskSet
from ballast.domain.sourcing import PlaceRow, SourcingOptions, SourcingSet, Strategy, StrategyRow
from ballast.rules.books import Kind, RuleSet

LETTERS = "abzAZ019 =+-@'\"`\\_.{}$#|&<>茶é€😀:!?%"
names = st.text(LETTERS, min_size=1, max_size=8).map(str.strip).filter(bool)
prose = st.text(f"{LETTERS}\n,，；", max_size=12).map(str.strip)
words = st.lists(names, max_size=3, unique=True).map(tuple)
amounts = st.integers(0, 10**9)
moments = st.one_of(
    st.integers(0, 10**9).map(lambda seconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)),
    st.integers(0, 9_000).map(
        lambda days: datetime(2019, 12, 31, 16, tzinfo=UTC) + timedelta(days=days)
    ),  # midnight there
)
shares = st.integers(1, 10_000)


def maybe(of: st.SearchStrategy[Any], nothing: Any = None) -> st.SearchStrategy[Any]:
    return st.just(nothing) | of


products = st.builds(
    Product,
    sku=names, name=prose, series=maybe(names, ""), list_price=maybe(amounts), floor=amounts,
    currency=st.sampled_from(["CNY", "JPY", "USD"]), tax_included=st.booleans(),
)  # fmt: skip
row_fields: dict[str, Any] = {
    "row": names, "kind": st.sampled_from(PriceKind), "customer": maybe(names, ""), "tier": maybe(names, ""),
    "sku": maybe(names, ""), "series": maybe(names, ""), "from_quantity": st.integers(1, 10**6),
    "starts": maybe(moments), "ends": maybe(moments), "currency": st.sampled_from(["CNY", "JPY"]),
    "tax_included": st.booleans(), "note": prose,
}  # fmt: skip
price_rows = st.one_of(
    st.builds(PriceRow, price=amounts, **row_fields),
    st.builds(PriceRow, pays=shares, **{**row_fields, "kind": st.just(PriceKind.LIMITED)}),
)
price_sets = st.builds(
    PriceSet,
    products=st.lists(products, max_size=4).map(lambda found: {each.sku: each for each in found}),
    tiers=words,
    rows=st.lists(price_rows, max_size=5, unique_by=lambda row: row.row).map(tuple),
    options=st.builds(
        PriceOptions,
        gate=st.booleans(), tolerance=amounts, tolerance_share=st.integers(0, 10_000),
        unpriced=st.sampled_from(["accept", "hold"]), precedence=st.permutations(list(PriceKind)).map(tuple),
    ),
)  # fmt: skip

NEEDS: dict[PromotionKind, dict[str, st.SearchStrategy[Any]]] = {
    PromotionKind.SPEND_OFF: {
        "off": st.integers(1, 10**6),
        "threshold": st.integers(1, 10**6),
        "per_multiple": st.booleans(),
    },
    PromotionKind.PERCENT: {"pays": shares, "threshold": amounts},
    PromotionKind.FIXED_PRICE: {"price": amounts},
    PromotionKind.NTH_ITEM: {"nth": st.integers(1, 100), "pays": st.integers(0, 10_000)},
    PromotionKind.GIFT: {"gift_sku": names, "gift_quantity": st.integers(1, 9), "threshold": amounts},
    PromotionKind.COUPON: {"code": names, "off": st.integers(1, 10**6), "threshold": amounts},
    PromotionKind.FREE_SHIPPING: {"threshold": amounts},
}


def of_kind(kind: PromotionKind) -> st.SearchStrategy[Promotion]:
    return st.builds(
        Promotion,
        name=names, kind=st.just(kind), title=prose, on=st.booleans(), priority=st.integers(0, 10**6), skus=words,
        series=words, channels=words, tiers=words, customers=words, starts=maybe(moments), ends=maybe(moments),
        first_order=st.sampled_from([None, True, False]), when=prose, cap=maybe(amounts), group=maybe(names, ""),
        excludes=words, **NEEDS[kind],
    )  # fmt: skip


promotion_sets = st.builds(
    PromotionSet,
    promotions=st.lists(
        st.sampled_from(PromotionKind).flatmap(of_kind), max_size=5, unique_by=lambda each: each.name
    ).map(tuple),
    options=st.builds(
        PromotionOptions,
        gate=st.booleans(), tolerance=amounts, most=maybe(st.integers(0, 100)), choice=st.sampled_from(Choice),
    ),
)  # fmt: skip
risk_rules = st.builds(
    RiskRule,
    name=names, when=prose.filter(bool), title=prose, on=st.booleans(), score=st.integers(0, 1_000),
    tag=maybe(names, ""), action=st.sampled_from(Action),
)  # fmt: skip
risk_sets = st.builds(
    RiskSet,
    rules=st.lists(risk_rules, max_size=5, unique_by=lambda rule: rule.name).map(tuple),
    options=st.builds(RiskOptions, hold_from=maybe(st.integers(0, 10**6)), review_from=maybe(st.integers(0, 10**6))),
)
counts = st.integers(1, 5)
places = st.builds(
    PlaceRow,
    name=names, warehouse=names, provinces=words, rank=maybe(counts), priority=st.integers(0, 200),
    parcel_cost=maybe(amounts), piece_cost=maybe(amounts), on=st.booleans(),
)  # fmt: skip
strategies = st.builds(
    StrategyRow,
    name=names, channels=words, tiers=words, provinces=words, skus=words,
    order=st.lists(st.sampled_from(Strategy), min_size=1, unique=True).map(tuple), split=st.booleans(),
    most_parcels=counts, partial=st.booleans(), reroute=st.booleans(), on=st.booleans(),
)  # fmt: skip
sourcing_sets = st.builds(
    SourcingSet,
    places=st.lists(places, max_size=4, unique_by=lambda row: row.name).map(tuple),
    strategies=st.lists(strategies, max_size=4, unique_by=lambda row: row.name).map(tuple),
    options=st.builds(SourcingOptions, currency=st.sampled_from(["CNY", "JPY"])),
)
SETS: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.PRICE: price_sets, Kind.PROMOTION: promotion_sets, Kind.RISK: risk_sets,
    Kind.SOURCING: sourcing_sets,
}  # fmt: skip


def exactly(rules: RuleSet) -> object:
    """What has to be equal, notes included; where it was written may differ."""
    if isinstance(rules, PriceSet):
        return rules, rules.tier_notes, [row.note for row in rules.rows]
    return replace(rules)
