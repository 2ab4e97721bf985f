"""The account of any order: two equations to the cent, no part below nothing; every finding has its words."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from ballast.domain.ledger import FINDING_LABELS, LATE, WEIGHTS, Facts, Finding, Pot, Weight, account, findings
from ballast.domain.words import State
from tests.times import NOON

AMOUNT = st.integers(0, 5000)


@st.composite
def pots(draw: st.DrawFn) -> Pot:
    """Charges, each with what went back of it and what is on its way: as the database adds them up."""
    charges = draw(st.lists(st.tuples(AMOUNT, AMOUNT, AMOUNT), max_size=3))
    return Pot(
        captured=sum(amount for amount, _, _ in charges),
        refunded=sum(done for _, done, _ in charges),
        on_its_way=sum(going for _, _, going in charges),
        left=sum(max(0, amount - done - going) for amount, done, going in charges),
        beyond=sum(max(0, done + going - amount) for amount, done, going in charges),
    )


@st.composite
def orders(draw: st.DrawFn) -> Facts:
    own, paying, asked = draw(st.booleans()), draw(pots()), draw(st.sampled_from([None, NOON - LATE * 2, NOON]))
    state = draw(st.sampled_from(State))
    loose = draw(AMOUNT)
    return Facts(
        order_no="SO-1", channel="direct", state=state, currency="CNY", own_currency=own,
        held_from=draw(st.sampled_from(State)) if state is State.ON_HOLD else None,
        total=draw(AMOUNT) if own else 0, placed_at=NOON, paid_at=draw(st.sampled_from([None, NOON])),
        left=draw(st.booleans()), recorded=draw(st.booleans()), paying=paying, second=draw(pots()),
        loose=Pot(refunded=loose, beyond=loose), counted=draw(st.sampled_from([0, paying.captured])),
        failed=draw(AMOUNT), by_hand=draw(AMOUNT), asked_at=asked,
    )  # fmt: skip


@given(orders())
def test_every_cent_has_one_place(facts: Facts) -> None:
    found = account(facts)
    assert found.adds_up and all(getattr(found, name) >= 0 for name in found.__slots__), found
    seen = findings(facts, NOON)
    ranks = [[*Weight].index(WEIGHTS[one]) for one in seen]
    assert ranks == sorted(ranks) and len(seen) == len({*seen}), "the gravest first, each once"
    kept = facts.paying.captured == facts.counted == facts.total and not facts.paying.refunded + facts.paying.on_its_way
    quiet = not (facts.second.captured or found.unbooked or facts.failed or facts.by_hand or facts.asked_at)
    if kept and quiet and facts.own_currency and not facts.called_off and facts.paid_at:
        assert seen == (), "an order that is paid, and of which nothing went back, agrees"


def test_money_of_a_called_off_order_is_the_customer_s() -> None:
    base = Facts(
        order_no="SO-1", channel="d", state=State.CLOSED, held_from=None, currency="CNY", own_currency=True, total=2000,
        placed_at=NOON, paid_at=NOON, left=False, paying=Pot(captured=2000, left=2000), second=Pot(), loose=Pot(),
        counted=2000,
    )  # fmt: skip
    assert (account(base).due, account(base).surplus) == (0, 2000)
    assert findings(base, NOON + timedelta(days=9)) == (Finding.CLOSED_WITH_MONEY,)


def test_every_finding_has_words_in_both_languages_and_says_what_to_do() -> None:
    assert FINDING_LABELS.keys() == WEIGHTS.keys() == {*Finding}
    for finding, label in FINDING_LABELS.items():
        assert label.en and label.zh and bool(label.advice_en) == bool(label.advice_zh)
        assert label.advice_en or WEIGHTS[finding] is not Weight.ACT, finding
