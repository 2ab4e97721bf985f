"""Versions of rules: one publication at a time, in force at its time, put back; what is damaged stops no order."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from ballast.db import rule_sets
from ballast.db.alerts import raise_alerts
from ballast.db.engine import run
from ballast.db.rule_sets import Done, State, Version, Wanted
from ballast.db.rules_in_force import RulesInForce, versions_in_force
from ballast.db.status_map import PublicationRefused
from ballast.domain.findings import Level
from ballast.domain.rules.prices import PriceKind, PriceRow, PriceSet, Product
from ballast.domain.rules.promotions import Promotion, PromotionKind, PromotionSet
from ballast.domain.rules.risk import RiskRule, RiskSet
from ballast.rules import compiled
from ballast.rules.books import Kind, RuleSet, default_book, sheets_of, written_of
from ballast.rules.compiled import Compiled
from ballast.wiring import House
from tasks import rules
from tasks.rules import Policy, RulesRefused, key_of, rule_alerts
from tests.db.stage import column, statements, table
from tests.times import NOON, SettableClock

FRIDAY = NOON + timedelta(days=2)
SLA_FILE = Path(__file__).parents[2] / "rules" / "sla.yaml"


def prices(price: int = 300_00, *, floor: int = 100_00, tier: str = "gold") -> PriceSet:
    row = PriceRow(row="gold-tea", kind=PriceKind.TIER, tier=tier, sku="TEA", price=price)
    tea = Product(sku="TEA", name="Tea", series="tea", list_price=399_00, floor=floor)
    return PriceSet(products={"TEA": tea}, tiers=("gold",), rows=(row,))


def promotions(*made: Promotion) -> PromotionSet:
    return PromotionSet(promotions=made)


def percent(name: str = "tea-90", **parts: Any) -> Promotion:
    return Promotion(name=name, kind=PromotionKind.PERCENT, **{"skus": ("TEA",), "pays": 9000, **parts})


async def keep(house: House, wanted: RuleSet, *, base: int | None = 0, kind: Kind = Kind.PRICE) -> Version:
    book = written_of(kind, sheets_of(wanted), "book.xlsx")
    book.base = base
    return (await rules.import_rules(house, kind, book, by="li", note="")).version


async def put(house: House, wanted: RuleSet, *, base: int | None = 0, kind: Kind = Kind.PRICE, **said: Any) -> Done:
    made = await keep(house, wanted, base=base, kind=kind)
    done, _ = await rules.publish_version(house, kind, made.version, Wanted(**{"by": "zhao", "note": "why", **said}))
    return done


async def ruling(house: House, held: RulesInForce | None = None) -> Compiled:
    async with house.transaction() as tx:
        return await (held or house.rules).current(tx, house.clock.now())


async def price_of(house: House, held: RulesInForce | None = None) -> int | None:
    now = await ruling(house, held)
    return next((row.price for row in now.price_set.rows), None)


async def listed(house: House, kind: str = "price") -> list[tuple[int, str]]:
    async with house.transaction() as tx:
        return [(one.version, str(one.state)) for one in await rule_sets.versions(tx, kind, house.clock.now())]


# -- life cycle ----------------------------------------------------------------------------------------------------


async def test_a_version_is_made_checked_published_and_retired_with_who_when_and_why(
    a_house: House, clock: SettableClock
) -> None:
    first = await keep(a_house, prices())
    assert (first.version, first.state, first.base, first.made_by) == (1, State.CHECKED, 0, "li")
    assert await price_of(a_house) is None, "stored is not in force"

    done, _ = await rules.publish_version(a_house, "price", 1, Wanted(by="zhao", note="new year"))
    assert (done.version.state, done.version.published_by, done.version.note) == (State.PUBLISHED, "zhao", "new year")
    assert (done.version.published_at, done.version.effective_at, done.replaced.version) == (NOON, NOON, 0)
    assert await price_of(a_house) == 300_00

    clock.pass_by(hours=1)
    await put(a_house, prices(290_00), base=1)
    assert await price_of(a_house) == 290_00
    assert await listed(a_house) == [(2, "published"), (1, "retired")]
    assert (await ruling(a_house)).versions == {Kind.PRICE: 2, Kind.PROMOTION: 0, Kind.RISK: 0, Kind.SOURCING: 0}


async def test_kinds_are_counted_by_themselves_and_make_one_whole(a_house: House) -> None:
    await put(a_house, prices())
    await put(a_house, promotions(percent()), kind=Kind.PROMOTION)
    await put(a_house, RiskSet(rules=(RiskRule(name="big", when="amount > 5000", score=10),)), kind=Kind.RISK)
    now = await ruling(a_house)
    assert now.versions == {Kind.PRICE: 1, Kind.PROMOTION: 1, Kind.RISK: 1, Kind.SOURCING: 0}
    assert [one.name for one in now.promotion_set.promotions] == ["tea-90"]
    assert now.risk.judge({"amount": 6000}).score == 10


async def test_what_the_check_refuses_is_a_draft_and_is_not_published(a_house: House) -> None:
    made = await keep(a_house, prices(tier="platinum"))
    assert made.state is State.DRAFT
    with pytest.raises(RulesRefused) as refused:
        await rules.publish_version(a_house, "price", made.version, Wanted(by="li", note="why"))
    [error] = [one for one in refused.value.findings if one.level is Level.ERROR]
    assert "platinum" in str(error) and "prices" in error.place and error.column
    assert str(refused.value).endswith("nothing was published")
    assert await listed(a_house) == [(1, "draft")]
    async with a_house.transaction() as tx:
        with pytest.raises(PublicationRefused, match="the check found errors"):
            await rule_sets.publish(tx, "price", 1, Wanted(by="li", note="x"), default_digest="", now=NOON)


async def test_cells_that_cannot_be_read_are_not_even_stored(a_house: House) -> None:
    book = written_of(Kind.PRICE, sheets_of(prices()), "book.xlsx")
    book.sheets["prices"][0].cells["price"] = "three hundred"  # type: ignore[index]
    with pytest.raises(RulesRefused, match="three hundred"):
        await rules.import_rules(a_house, "price", book, by="li", note="")
    assert await listed(a_house) == []


async def test_a_draft_that_the_check_accepts_by_now_may_be_published(a_house: House) -> None:
    await put(a_house, prices())
    cheap = promotions(percent(pays=5000, skus=("NEW",)))
    assert (await keep(a_house, cheap, kind=Kind.PROMOTION)).state is State.DRAFT, "there is no article NEW"
    new = {"TEA": prices().products["TEA"], "NEW": Product(sku="NEW", list_price=100_00)}
    await put(a_house, PriceSet(products=new, tiers=("gold",), rows=prices().rows), base=1)
    assert not [one for one in await rules.check_version(a_house, "promotion", 1) if one.level is Level.ERROR]
    assert await listed(a_house, "promotion") == [(1, "checked")]


async def test_it_is_checked_again_when_it_is_published(a_house: House) -> None:
    """Checked against the prices of then; other prices are in force by now."""
    await put(a_house, prices())
    made = await keep(a_house, promotions(percent()), kind=Kind.PROMOTION)
    await put(a_house, PriceSet(products={"OTHER": Product(sku="OTHER", list_price=1_00)}), base=1)
    with pytest.raises(RulesRefused, match="TEA"):
        await rules.publish_version(a_house, "promotion", made.version, Wanted(by="li", note="why"))
    assert await listed(a_house, "promotion") == [(1, "checked")]


async def test_new_prices_warn_of_promotions_in_force_that_do_not_fit_them(a_house: House) -> None:
    await put(a_house, prices())
    await put(a_house, promotions(percent()), kind=Kind.PROMOTION)
    book = written_of(Kind.PRICE, sheets_of(PriceSet(products={"OTHER": Product(sku="OTHER", list_price=1_00)})))
    book.base = 1
    _, findings = await rules.publish_file(a_house, "price", book, Wanted(by="li", note="why"))
    assert {one.level for one in findings} == {Level.WARNING}
    assert [one for one in findings if "promotions in force" in one.text and "TEA" in one.text]


@pytest.mark.parametrize("by", ["", "   ", "a" * 101, "li\nzhao"])
async def test_a_person_does_it(a_house: House, by: str) -> None:
    await keep(a_house, prices())
    with pytest.raises(PublicationRefused):
        await rules.publish_version(a_house, "price", 1, Wanted(by=by, note="why"))
    assert await listed(a_house) == [(1, "checked")]


async def test_a_reason_is_needed(a_house: House) -> None:
    await keep(a_house, prices())
    with pytest.raises(PublicationRefused, match="--note"):
        await rules.publish_version(a_house, "price", 1, Wanted(by="li", note=" "))


async def test_what_changes_nothing_is_refused(a_house: House) -> None:
    await put(a_house, prices())
    with pytest.raises(PublicationRefused, match=r"nothing changes: in force now is version 1, published by zhao"):
        await put(a_house, prices(), base=1)
    with pytest.raises(PublicationRefused, match="nothing changes"):
        await put(a_house, default_book(Kind.RISK), kind=Kind.RISK, base=None, over=0)
    with pytest.raises(PublicationRefused, match="published already"):
        await rules.publish_version(a_house, "price", 1, Wanted(by="li", note="again"))


async def test_discarded_numbers_are_not_given_again(a_house: House) -> None:
    await keep(a_house, prices())
    await rules.discard(a_house, "price", 1)
    assert (await keep(a_house, prices())).version == 2
    assert await listed(a_house) == [(2, "checked"), (1, "retired")]
    with pytest.raises(PublicationRefused, match="it was discarded"):
        await rules.publish_version(a_house, "price", 1, Wanted(by="li", note="why"))
    with pytest.raises(PublicationRefused, match="never published"):
        await rules.roll_back(a_house, "price", 1, by="li", note="")
    await rules.publish_version(a_house, "price", 2, Wanted(by="li", note="why"))
    with pytest.raises(PublicationRefused, match="is no draft"):
        await rules.discard(a_house, "price", 2)


async def test_a_dry_run_leaves_nothing(a_house: House) -> None:
    book = written_of(Kind.PRICE, sheets_of(prices()))
    book.base = 0
    done, _ = await rules.publish_file(a_house, "price", book, Wanted(by="li", note="why"), dry_run=True)
    assert done.version.version == 1
    assert (await listed(a_house), await price_of(a_house)) == ([], None)


# -- whose place it takes ------------------------------------------------------------------------------------------


async def test_it_has_to_be_made_from_what_is_in_force_or_name_it(a_house: House) -> None:
    await put(a_house, prices())
    with pytest.raises(PublicationRefused, match=r"made from version 0; in force then is version 1, published by zhao"):
        await put(a_house, prices(290_00), base=0)
    with pytest.raises(PublicationRefused, match="does not say which version"):
        await put(a_house, prices(290_00), base=None)
    with pytest.raises(PublicationRefused, match="--over 2 is not what it would replace"):
        await put(a_house, prices(290_00), base=0, over=2)
    with pytest.raises(PublicationRefused, match="not in these books"):
        await keep(a_house, prices(), base=77)
    assert await price_of(a_house) == 300_00
    await put(a_house, prices(290_00), base=0, over=1)
    assert await price_of(a_house) == 290_00


async def test_of_two_who_publish_at_once_one_is_told(a_house: House) -> None:
    made = [await keep(a_house, prices(price)) for price in (290_00, 280_00, 270_00)]
    ends = await asyncio.gather(
        *(rules.publish_version(a_house, "price", one.version, Wanted(by="li", note="why")) for one in made),
        return_exceptions=True,
    )
    refused = [end for end in ends if isinstance(end, PublicationRefused)]
    assert len(refused) == 2 and all("--over" in str(end) for end in refused)
    assert await column(a_house, "select publication from rule_version where state = 'published'") == [1]


async def test_of_two_who_import_at_once_each_has_a_number(a_house: House) -> None:
    made = await asyncio.gather(*(keep(a_house, prices(price)) for price in (290_00, 280_00, 270_00)))
    assert sorted(one.version for one in made) == [1, 2, 3]


# -- at its time ---------------------------------------------------------------------------------------------------


async def test_a_scheduled_version_comes_into_force_at_its_time(a_house: House, clock: SettableClock) -> None:
    await put(a_house, prices())
    done = await put(a_house, prices(250_00), base=1, at=FRIDAY)
    assert (done.replaced.version, await price_of(a_house)) == (1, 300_00)
    clock.set(FRIDAY - timedelta(microseconds=1))
    assert await price_of(a_house) == 300_00
    clock.set(FRIDAY)
    assert await price_of(a_house) == 250_00
    assert await listed(a_house) == [(2, "published"), (1, "retired")], "people see it before anybody wrote it down"
    assert await versions_at(a_house, NOON) == 1, "what was in force then is still known"


async def versions_at(house: House, at: Any) -> int:
    async with house.transaction() as tx:
        return (await versions_in_force(tx, at))["price"]


async def test_what_is_put_right_today_leaves_what_is_to_come(a_house: House, clock: SettableClock) -> None:
    await put(a_house, prices())
    await put(a_house, prices(250_00), base=1, at=FRIDAY)
    done = await put(a_house, prices(299_00), base=1)
    assert [one.version for one in done.to_come] == [2]
    assert await price_of(a_house) == 299_00
    clock.set(FRIDAY)
    assert await price_of(a_house) == 250_00


async def test_what_is_made_from_the_scheduled_one_takes_its_place(a_house: House, clock: SettableClock) -> None:
    await put(a_house, prices())
    await put(a_house, prices(250_00), base=1, at=FRIDAY)
    done = await put(a_house, prices(240_00), base=2)
    assert [one.version for one in done.withdrawn] == [2]
    clock.set(FRIDAY)
    assert await price_of(a_house) == 240_00
    assert await listed(a_house) == [(3, "published"), (2, "retired"), (1, "retired")]


async def test_what_would_undo_the_scheduled_one_is_refused(a_house: House) -> None:
    await put(a_house, prices())
    await put(a_house, prices(250_00), base=1, at=FRIDAY)
    with pytest.raises(PublicationRefused, match=r"made from version 1; in force then is version 2"):
        await put(a_house, prices(240_00), base=1, at=FRIDAY + timedelta(days=1))


async def test_of_the_same_moment_the_later_publication_counts(a_house: House, clock: SettableClock) -> None:
    await put(a_house, prices(), at=FRIDAY)
    later, earlier = await keep(a_house, prices(280_00), base=1), await keep(a_house, prices(270_00), base=1)
    await rules.publish_version(a_house, "price", earlier.version, Wanted(by="li", note="x", at=FRIDAY))
    await rules.publish_version(a_house, "price", later.version, Wanted(by="li", note="x", at=FRIDAY, over=3))
    clock.set(FRIDAY)
    assert await price_of(a_house) == 280_00, "version 2 was published after version 3"


async def test_a_scheduled_one_can_be_withdrawn_and_never_comes(a_house: House, clock: SettableClock) -> None:
    await put(a_house, prices(), at=FRIDAY)
    await rules.discard(a_house, "price", 1)
    clock.set(FRIDAY)
    assert await price_of(a_house) is None


async def test_the_past_cannot_be_published(a_house: House) -> None:
    with pytest.raises(PublicationRefused, match="is over"):
        await put(a_house, prices(), at=NOON - timedelta(seconds=1))


# -- back again ----------------------------------------------------------------------------------------------------


async def test_what_an_earlier_version_said_is_published_as_a_new_one(a_house: House, clock: SettableClock) -> None:
    await put(a_house, prices())
    await put(a_house, prices(290_00), base=1)
    done, _ = await rules.roll_back(a_house, "price", 1, by="li", note="")
    assert (done.version.version, done.version.base, done.version.note) == (3, 2, "back to version 1")
    assert await price_of(a_house) == 300_00
    await rules.roll_back(a_house, "price", 0, by="li", note="nothing at all")
    assert (await price_of(a_house), (await ruling(a_house)).versions[Kind.PRICE]) == (None, 4)
    with pytest.raises(PublicationRefused, match="nothing changes"):
        await rules.roll_back(a_house, "price", 0, by="li", note="")
    with pytest.raises(PublicationRefused, match="there is no price version 9"):
        await rules.roll_back(a_house, "price", 9, by="li", note="")
    assert [version for version, _ in await listed(a_house)] == [4, 3, 2, 1]


# -- what is in force, and what cannot be --------------------------------------------------------------------------


async def test_it_is_one_statement_as_long_as_nothing_changes(a_house: House) -> None:
    await put(a_house, prices())
    before = await ruling(a_house)
    with statements(a_house.engine) as heard:
        assert await ruling(a_house) is before
    assert len(heard) == 1
    await put(a_house, prices(290_00), base=1)
    assert before.price_set == prices(), "who works with the old one goes on with it, whole"
    assert (await ruling(a_house)).promotions is before.promotions, "only what changed is compiled"


async def test_that_statement_reads_an_index_and_no_content(a_house: House) -> None:
    await put(a_house, prices())
    with statements(a_house.engine) as heard:
        await ruling(a_house)
    [(sql, _)] = heard[:1]
    plain = sql.replace("$1::TIMESTAMP WITH TIME ZONE", "now()").replace("$1", "now()")
    async with a_house.transaction() as tx:
        await run(tx, "set local enable_seqscan = off")
        await run(tx, "set local enable_bitmapscan = off")
        plan = "\n".join(row[0] for row in (await tx.exec_driver_sql("explain " + plain)).all())
    assert "Index Only Scan Backward using rules_in_force" in plan and "Sort" not in plan


DAMAGES = {
    "another figure": """jsonb_set(sheets, '{prices,0,price}', '"1.00"')""",
    "no rows": """'{"prices": 7}'::jsonb""",
    "rows of rows": """'{"prices": [[1]], "products": [{"sku": {"a": 1}}]}'::jsonb""",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_a_damaged_version_leaves_the_last_good_one_in_force(a_house: House, damage: str) -> None:
    await put(a_house, prices())
    assert await price_of(a_house) == 300_00
    await put(a_house, prices(290_00), base=1)
    await harm(a_house, damage, 2)
    assert await price_of(a_house) == 300_00
    [problem] = a_house.rules.problems
    assert (problem.kind, problem.version, problem.instead) == ("price", 2, 1) and problem.text

    fresh = RulesInForce()
    assert await price_of(a_house, fresh) == 300_00, "a process that starts finds the next older one"
    assert [(one.version, one.instead) for one in fresh.problems] == [(2, 1)]


async def harm(house: House, damage: str, version: int, digest: str = "digest") -> None:
    async with house.transaction() as tx:
        sql = f"update rule_version set sheets = {damage}, digest = {digest} where version = :version"
        assert await run(tx, sql, version=version)


NEWER: list[tuple[Kind, dict[str, Any]]] = [
    (Kind.PROMOTION, {"promotions": [{"name": "x", "kind": "percent", "pays": "90%", "moon": "full"}], "options": []}),
    (Kind.PROMOTION, {"promotions": [{"name": "x", "kind": "lottery", "pays": "90%"}], "options": []}),
    (Kind.PROMOTION, {"promotions": [{"name": "x", "kind": "free_shipping", "when": "moon == 1"}], "options": []}),
    (Kind.PROMOTION, {"promotions": [{"name": "x", "kind": "free_shipping", "when": "amount >"}], "options": []}),
    (Kind.RISK, {"rules": [{"name": "x", "when": "((("}], "options": []}),
    (Kind.RISK, {"rules": [{"name": "x", "when": "moon_age > 3"}], "options": []}),
    (Kind.RISK, {"rules": [], "options": [], "phases": [{"moon": "full"}]}),
    (Kind.RISK, {}),
    (Kind.PRICE, {"prices": "text"}),
    (Kind.PRICE, {"prices": [{"row": None, "price": 7}], "products": {}, "tiers": [], "options": []}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "sheets"), NEWER)
async def test_content_that_this_ballast_cannot_use_stops_nothing(
    a_house: House, kind: Kind, sheets: dict[str, Any]
) -> None:
    """Stored by a newer one, or by hand: with a digest that fits, so that only reading it finds out."""
    async with a_house.transaction() as tx:
        draft = rule_sets.Draft(kind=kind, sheets=sheets, base=0, by="li")
        await rule_sets.import_draft(tx, draft, checked=True, now=NOON)
        await rule_sets.publish(tx, kind, 1, Wanted(by="li", note="x"), default_digest="", now=NOON)
    now = await ruling(a_house)
    assert now.versions[kind] == 0
    [problem] = a_house.rules.problems
    assert (problem.kind, problem.version, problem.instead) == (kind, 1, 0)
    with statements(a_house.engine) as heard:
        assert await ruling(a_house) is now
    assert len(heard) == 1, "what cannot be used is not tried for every chunk"


async def test_a_broken_file_of_defaults_rules_nothing_and_is_told(
    a_house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "price.yaml").write_text("kind: price\nprices: [", "utf-8")
    monkeypatch.chdir(tmp_path)
    now = await ruling(a_house)
    assert (now.versions[Kind.PRICE], now.price_set) == (compiled.NOTHING, PriceSet())
    [problem] = a_house.rules.problems
    assert (problem.version, problem.instead) == (0, -1) and "price.yaml" in problem.text
    await put(a_house, prices())
    assert (await price_of(a_house), a_house.rules.problems) == (300_00, ())


async def test_a_mended_version_ends_the_alert(a_house: House) -> None:
    await put(a_house, prices())
    await put(a_house, prices(290_00), base=1)
    await harm(a_house, "'{}'::jsonb", 2)
    await ruling(a_house)
    for _ in range(2):
        async with a_house.transaction() as tx:
            await raise_alerts(tx, rule_alerts(a_house.rules.problems), NOON)
    [alert] = await table(a_house, "select key, level, title, text, ended_at from alert")
    assert (alert["key"], alert["level"], alert["ended_at"]) == (key_of("price", 2), "urgent", None)
    assert "In force instead: version 1" in alert["text"] and "ballast rules rollback price 1" in alert["text"]

    await rules.roll_back(a_house, "price", 1, by="li", note="")
    assert await price_of(a_house) == 300_00
    assert a_house.rules.problems == ()
    assert await column(a_house, "select ended_at from alert") == [NOON]


async def test_going_back_to_a_damaged_version_is_refused(a_house: House) -> None:
    await put(a_house, prices())
    await put(a_house, prices(290_00), base=1)
    await harm(a_house, "'{}'::jsonb", 1)
    with pytest.raises(PublicationRefused, match="changed in the database"):
        await rules.roll_back(a_house, "price", 1, by="li", note="")


# -- what cannot be stored -----------------------------------------------------------------------------------------

NONSENSE = (
    "insert into rule_version (kind, version, state, digest, base, note, made_by, made_at) "
    "values ('{kind}', {version}, '{state}', '', {base}, '', '{by}', now())"
)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "moon"}, {"version": 0}, {"state": "lost"}, {"base": 5}, {"base": -1}, {"by": " "},
        {"state": "checked"}, {"state": "published"}, {"state": "retired"},
    ],
)  # fmt: skip
async def test_nonsense_cannot_be_stored(a_house: House, wrong: dict[str, Any]) -> None:
    values = {"kind": "price", "version": 1, "state": "draft", "base": 0, "by": "li", **wrong}
    with pytest.raises(IntegrityError):
        async with a_house.transaction() as tx:
            await run(tx, NONSENSE.format(**values))


async def test_a_publication_is_whole(a_house: House) -> None:
    await put(a_house, prices())
    for change in ("published_by = ' '", "effective_at = null", "publication = null", "checked_at = null"):
        with pytest.raises(IntegrityError):
            async with a_house.transaction() as tx:
                await run(tx, f"update rule_version set {change}")


# -- the SLA policy ------------------------------------------------------------------------------------------------


async def test_the_policy_is_published_and_put_back(a_house: House) -> None:
    shipped, text = a_house.sla.current(), SLA_FILE.read_text("utf-8")
    other = Policy("sla.yaml", text.replace("working_hours:", "# ours\nworking_hours:", 1), base=0)
    await rules.publish_file(a_house, "sla", other, Wanted(by="li", note="why"))
    await ruling(a_house)
    assert a_house.sla.current().version != shipped.version
    assert (a_house.sla.text, a_house.sla.problem) == (other.text, None)
    await rules.roll_back(a_house, "sla", 0, by="li", note="")
    await ruling(a_house)
    assert a_house.sla.current().version == shipped.version


async def test_a_policy_with_a_mistake_is_refused_with_its_lines(a_house: House) -> None:
    wrong = Policy("sla.yaml", SLA_FILE.read_text("utf-8") + "\nmoon: full\n", base=0)
    with pytest.raises(RulesRefused, match=r"sla\.yaml:\d+: unknown key 'moon'"):
        await rules.publish_file(a_house, "sla", wrong, Wanted(by="li", note="why"))
    assert await listed(a_house, "sla") == []


async def test_a_damaged_policy_leaves_the_old_one_in_force(a_house: House) -> None:
    text = SLA_FILE.read_text("utf-8")
    for number in (1, 2):
        made = Policy("sla.yaml", f"# number {number}\n{text}", base=number - 1)
        await rules.publish_file(a_house, "sla", made, Wanted(by="li", note="why"))
        if number == 1:
            await ruling(a_house)
    await harm(a_house, '\'{"text": "clocks: ["}\'::jsonb', 2)
    await ruling(a_house)
    assert a_house.sla.text.startswith("# number 1")
    assert a_house.sla.problem is not None and "version 2 cannot be used" in str(a_house.sla.problem)
    fresh = House(a_house.settings, a_house.clock, a_house.engine)
    fresh.sla.current()
    await ruling(fresh)
    assert fresh.sla.text.startswith("# number 1"), "the next older one, not the file"
