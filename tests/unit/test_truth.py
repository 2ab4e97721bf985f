"""What other systems say beside what we say: the table is whole, honest systems agree, and silence never does."""

from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.domain.accuracy import Accuracy, agrees, part, percent, stratify
from ballast.domain.judging import is_concerned, judge
from ballast.domain.life_cycle import CALLED_OFF, HELD_BECAUSE, NoSuchMove, Standing, TooEarly, after
from ballast.domain.truth import DRIFT, STATE_OF, TABLE, Books, ParcelBooks, Place, Verdict, Witness, Word, place_of
from ballast.domain.words import Event, HoldReason, State

OURS: Final = (
    Place.UNPAID, Place.PAID, Place.LOCKED, Place.LEFT, Place.MOVING, Place.ARRIVED, Place.FINISHED, Place.OFF,
)  # fmt: skip
GONE: Final = (Place.LEFT, Place.MOVING, Place.ARRIVED, Place.FINISHED)
WAYBILL: Final = "YT1"
PAID: Final = Word(event=Event.PAYMENT_CAPTURED, transaction="t1")
RESERVED: Final = Word(event=Event.NOTED, state=State.STOCK_LOCKED)
BOOKED: Final = Word(event=Event.NOTED, state=State.OUTBOUND)
RECEIVED: Final = Word(event=Event.NOTED, state=State.SIGNED)
AT_WORK: Final = Word(event=Event.WAREHOUSE_PROGRESS)
SHIPPED: Final = Word(event=Event.SHIPPED, parcels=frozenset({WAYBILL}))
MOVING: Final = Word(event=Event.SCANNED, waybill=WAYBILL)
SIGNED: Final = Word(event=Event.PARCEL_SIGNED, waybill=WAYBILL)
WAITING: Final = Word(event=Event.NOTED, state=State.STOCK_LOCKED, waybills=frozenset())
SENT: Final = Word(event=Event.NOTED, state=State.OUTBOUND, waybills=frozenset({WAYBILL}))
CONFIRMED: Final = Word(event=Event.RECEIPT_CONFIRMED, waybills=frozenset({WAYBILL}))

HONEST: Final[dict[Witness, dict[Place, tuple[Word, ...]]]] = {
    Witness.ERP: {
        Place.LOCKED: (RESERVED,), Place.LEFT: (RESERVED, BOOKED), Place.MOVING: (RESERVED, BOOKED),
        Place.ARRIVED: (RESERVED, BOOKED, RECEIVED), Place.FINISHED: (RESERVED, BOOKED, RECEIVED),
        Place.OFF: (Word(event=Event.HELD, state=State.CLOSED, reason=HoldReason.ERP_REFUSED),),
    },
    Witness.WMS: {
        Place.LOCKED: (AT_WORK,), **dict.fromkeys(GONE, (SHIPPED,)),
        Place.OFF: (Word(event=Event.WAREHOUSE_CANCELLED),),
    },
    Witness.COURIER: {Place.LEFT: (), Place.MOVING: (MOVING,), Place.ARRIVED: (SIGNED,)},
    Witness.SHOP: {
        Place.UNPAID: (), Place.PAID: (WAITING,), Place.LOCKED: (WAITING,), Place.LEFT: (SENT,),
        Place.MOVING: (SENT,), Place.ARRIVED: (CONFIRMED,), Place.FINISHED: (CONFIRMED,),
        Place.OFF: (Word(event=Event.REFUNDED),),
    },
    Witness.PAYMENT: {
        Place.UNPAID: (Word(event=Event.NOTED, state=State.PENDING_PAYMENT),), Place.PAID: (PAID,),
        Place.LOCKED: (PAID,), **dict.fromkeys(GONE, (PAID,)),
        Place.OFF: (Word(event=Event.NOTED, state=State.CLOSED),),
    },
}  # fmt: skip
"""What a system says of an order that is just there, when nothing was lost."""


def books(place: Place, **changes: object) -> Books:
    """An ordinary order at a place, one parcel once it left; an order that is off was paid and given back."""
    gone, off = place in GONE, place is Place.OFF
    dealt = {"erp.reserve", "wms.create"} if place not in (Place.UNPAID, Place.PAID) else set[str]()
    decided = {"erp.outbound", "erp.receipt", "shop.shipped", "shop.received", f"courier.subscribe:{WAYBILL}"}
    parcel = place if place in (Place.LEFT, Place.MOVING) else Place.ARRIVED
    made = Books(
        state=State(STATE_OF[place]),
        place=place,
        parcels={WAYBILL: ParcelBooks(parcel)} if gone else {},
        dealt=frozenset(dealt),
        handed_over=bool(dealt),
        decided=frozenset(decided if gone else {"shop.refunded"} if off else set()),
        charges=frozenset() if place is Place.UNPAID else frozenset({"t1"}),
        refunds={"R1": "done"} if off else {},
        all_back=off,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize("place", OURS)
@pytest.mark.parametrize("witness", Witness)
def test_the_table_has_an_entry_for_every_place_of_ours(witness: Witness, place: Place) -> None:
    theirs = {says for who, says, _ in TABLE if who is witness}
    assert Place.NOTHING in theirs and len(theirs) >= 4
    assert all((witness, says, place) in TABLE for says in theirs)


@pytest.mark.parametrize("place", OURS)
@pytest.mark.parametrize("witness", Witness)
def test_an_honest_system_agrees_wherever_the_order_is(witness: Witness, place: Place) -> None:
    words = HONEST[witness].get(place)
    if words is None:
        assert not is_concerned(witness, books(place))
    else:
        assert is_concerned(witness, books(place))
        assert judge(witness, books(place), words).verdict is Verdict.AGREES


LATE: Final = [
    (witness, ours, theirs)
    for witness in (Witness.ERP, Witness.SHOP)
    for ours in GONE
    for theirs in HONEST[witness]
    if theirs in OURS[: OURS.index(ours) + 1] and theirs is not Place.UNPAID
]


@pytest.mark.parametrize(("witness", "ours", "theirs"), LATE)
def test_who_lacks_a_notice_is_behind_and_it_is_named(witness: Witness, ours: Place, theirs: Place) -> None:
    found = judge(witness, books(ours), HONEST[witness][theirs])
    assert found.verdict in (Verdict.AGREES, Verdict.BEHIND)
    if theirs in (Place.PAID, Place.LOCKED):
        assert found.verdict is Verdict.BEHIND
        assert found.lacks == (("shop.shipped",) if witness is Witness.SHOP else ("erp.outbound", "erp.receipt"))
    if (witness, theirs) == (Witness.ERP, Place.LEFT) and ours in (Place.ARRIVED, Place.FINISHED):
        assert found.lacks == ("erp.receipt",)


EARLY: Final = [
    (witness, ours, theirs)
    for witness, places in (
        (Witness.WMS, (Place.LOCKED, Place.LEFT)),
        (Witness.COURIER, (Place.LEFT, Place.MOVING, Place.ARRIVED)),
        (Witness.PAYMENT, (Place.UNPAID, Place.PAID)),
    )
    for ours in places
    for theirs in places
    if places.index(theirs) > places.index(ours)
]


@pytest.mark.parametrize(("witness", "ours", "theirs"), EARLY)
def test_who_speaks_of_what_we_missed_is_ahead(witness: Witness, ours: Place, theirs: Place) -> None:
    assert judge(witness, books(ours), HONEST[witness][theirs]).verdict is Verdict.AHEAD


@pytest.mark.parametrize("place", GONE)
def test_goods_that_left_and_are_dropped_or_voided_contradict(place: Place) -> None:
    for witness in (Witness.WMS, Witness.ERP):
        assert judge(witness, books(place), HONEST[witness][Place.OFF]).verdict is Verdict.CONTRADICTS


@pytest.mark.parametrize("place", [Place.PAID, Place.LOCKED, *GONE])
def test_money_that_is_gone_contradicts_unless_our_books_explain_it(place: Place) -> None:
    refunded = HONEST[Witness.PAYMENT][Place.OFF]
    assert judge(Witness.PAYMENT, books(place), refunded).verdict is Verdict.CONTRADICTS
    for state in ("asked", "requested", "by_hand", "done"):
        explained = books(place, refunds={"R1": state})
        assert judge(Witness.PAYMENT, explained, refunded).verdict is Verdict.AGREES
    assert judge(Witness.PAYMENT, books(place, refunds={"R1": "failed"}), refunded).verdict is Verdict.CONTRADICTS
    unpaid = HONEST[Witness.PAYMENT][Place.UNPAID]
    assert judge(Witness.PAYMENT, books(place), unpaid).verdict is Verdict.CONTRADICTS


def test_a_charge_that_we_do_not_know_is_ahead_even_of_a_finished_or_closed_order() -> None:
    other = (replace(PAID, transaction="t2"),)
    assert {judge(Witness.PAYMENT, books(place), other).verdict for place in OURS} == {Verdict.AHEAD}


def test_a_closed_order_that_is_still_worked_on_contradicts() -> None:
    for words in ((AT_WORK,), (replace(SHIPPED, parcels=frozenset()),)):
        assert judge(Witness.WMS, books(Place.OFF), words).verdict is Verdict.CONTRADICTS
    assert judge(Witness.WMS, books(Place.OFF), (SHIPPED,)).verdict is Verdict.AHEAD, "a parcel that we never heard of"
    assert judge(Witness.PAYMENT, books(Place.OFF, refunds={}, all_back=False), (PAID,)).verdict is Verdict.CONTRADICTS


def test_a_parcel_that_the_warehouse_told_nobody_of_is_ahead_wherever_the_order_is() -> None:
    more = (replace(SHIPPED, parcels=frozenset({WAYBILL, "YT2"})),)
    assert {judge(Witness.WMS, books(place), more).verdict for place in GONE} == {Verdict.AHEAD}


def test_a_shop_that_shows_a_part_of_the_waybills_is_behind() -> None:
    two = books(Place.MOVING, parcels={WAYBILL: ParcelBooks(Place.MOVING), "YT2": ParcelBooks(Place.LEFT)})
    found = judge(Witness.SHOP, two, (SENT,))
    assert (found.verdict, found.lacks) == (Verdict.BEHIND, ("shop.shipped",))


def test_of_several_parcels_the_worst_decides_and_is_named() -> None:
    both = frozenset({f"courier.subscribe:{WAYBILL}", "courier.subscribe:YT2"})
    parcels = {WAYBILL: ParcelBooks(Place.ARRIVED), "YT2": ParcelBooks(Place.LEFT)}
    two = books(Place.MOVING, parcels=parcels, decided=both)
    found = judge(Witness.COURIER, two, (SIGNED, replace(MOVING, waybill="YT2")))
    assert (found.verdict, found.theirs, found.waybills) == (Verdict.AHEAD, Place.MOVING, ("YT2",))
    agreeing = judge(Witness.COURIER, two, (SIGNED,))
    assert (agreeing.verdict, agreeing.theirs) == (Verdict.AGREES, Place.NOTHING), "the least far is shown"


def test_a_subscription_that_was_given_up_is_a_missing_notice() -> None:
    subscription = f"courier.subscribe:{WAYBILL}"
    found = judge(Witness.COURIER, books(Place.LEFT, given_up=frozenset({subscription})), ())
    assert (found.verdict, found.lacks) == (Verdict.BEHIND, (subscription,))


@pytest.mark.parametrize("reason", sorted(CALLED_OFF))
@pytest.mark.parametrize("place", [Place.PAID, Place.LOCKED])
def test_what_is_being_called_off_may_be_gone_at_warehouse_and_erp_already(place: Place, reason: HoldReason) -> None:
    held = books(place, state=State.ON_HOLD, held_for=reason)
    for witness in (Witness.WMS, Witness.ERP):
        for words in (HONEST[witness][Place.OFF], HONEST[witness].get(Place.LOCKED, ()), ()):
            expected = place is Place.LOCKED or words != HONEST[witness][Place.LOCKED]
            assert (judge(witness, held, words).verdict is Verdict.AGREES) is expected


@pytest.mark.parametrize("witness", [Witness.WMS, Witness.COURIER, Witness.SHOP])
def test_trouble_is_news_until_the_order_is_held_for_it_or_a_person_let_it_pass(witness: Witness) -> None:
    reason = {
        Witness.WMS: HoldReason.WAREHOUSE_EXCEPTION,
        Witness.COURIER: HoldReason.COURIER_REFUSED,
        Witness.SHOP: HoldReason.COMPLAINT,
    }[witness]
    trouble = Word(event=Event.HELD, reason=reason, waybill=WAYBILL if witness is Witness.COURIER else "")
    words = (trouble,) if witness is not Witness.SHOP else (SENT, trouble)
    free = books(Place.MOVING)
    assert judge(witness, free, words).verdict is Verdict.AHEAD
    assert judge(witness, replace(free, held_for=reason), words).verdict is Verdict.AGREES
    known = [replace(word, known=True) for word in words]
    assert judge(witness, free, known).verdict is Verdict.AGREES


def test_a_word_without_a_state_is_no_answer() -> None:
    says_nothing = (Word(event=Event.NOTED),)
    for witness in Witness:
        words = (replace(says_nothing[0], waybill=WAYBILL),) if witness is Witness.COURIER else says_nothing
        assert judge(witness, books(Place.MOVING), words).verdict is Verdict.NOT_ASKED


def test_orders_of_a_file_have_dealings_with_nobody() -> None:
    imported = books(Place.MOVING, dealt=frozenset(), decided=frozenset(), charges=frozenset(), charged_elsewhere=True)
    assert not any(is_concerned(witness, imported) for witness in Witness)


# -- properties

words_ = st.builds(
    Word,
    event=st.sampled_from(Event),
    state=st.none() | st.sampled_from(State),
    reason=st.none() | st.sampled_from(HoldReason),
    known=st.booleans(),
    waybill=st.sampled_from(["", WAYBILL, "YT9"]),
    parcels=st.frozensets(st.sampled_from([WAYBILL, "YT9"])),
    waybills=st.none() | st.frozensets(st.sampled_from([WAYBILL, "YT9"])),
    transaction=st.sampled_from(["", "t1", "t9"]),
    refund_no=st.sampled_from(["", "R1"]),
)
places = st.sampled_from(OURS)
holds = st.none() | st.sampled_from(HoldReason)


@given(st.sampled_from(Witness), places, holds, st.lists(words_, max_size=4))
def test_every_answer_has_a_verdict(witness: Witness, place: Place, hold: HoldReason | None, told: list[Word]) -> None:
    ours = books(place, held_for=hold)
    found = judge(witness, ours, told)
    assert found.verdict in Verdict
    assert set(found.lacks) <= ours.decided, "only what was decided is sent again"
    assert not found.lacks or found.verdict in DRIFT
    if found.verdict in DRIFT and witness is not Witness.PAYMENT:
        assert found.theirs is not None


@given(st.lists(st.tuples(st.sampled_from(Event), st.sampled_from(HoldReason)), max_size=12))
def test_on_every_way_through_the_life_cycle_honest_systems_never_contradict(
    way: list[tuple[Event, HoldReason]],
) -> None:
    """Held or not, wherever the events lead: who says what belongs to that place agrees."""
    standing, paid, left = Standing(State.PENDING_PAYMENT), False, False
    for event, reason in way:
        try:
            standing = after(standing, event, HELD_BECAUSE.get(event, reason)) or standing
        except (TooEarly, NoSuchMove):
            continue
        here = standing.held_from or standing.state
        paid = paid or event is Event.PAYMENT_CONFIRMED or here not in (State.PENDING_PAYMENT, State.CLOSED)
        left = left or here in (State.OUTBOUND, State.IN_TRANSIT, State.SIGNED)
        place = place_of(standing.state, standing.held_from, paid=paid, left=left)
        ours = books(place, state=standing.state, held_for=standing.reason)
        for witness in Witness:
            words = HONEST[witness].get(place)
            if words is not None:
                assert judge(witness, ours, words).verdict is Verdict.AGREES, (standing, witness)


# -- counting

verdicts = st.dictionaries(st.sampled_from(Witness), st.sampled_from(Verdict))


@given(st.lists(verdicts, max_size=30))
def test_who_did_not_answer_is_in_no_base(orders: list[dict[Witness, Verdict]]) -> None:
    counted = Accuracy()
    for order in orders:
        counted.add(order)
    found = counted.figures()
    answered = [order for order in orders if set(order.values()) - {Verdict.NOT_ASKED}]
    whole = found["overall"]
    assert (whole["asked"], whole["agreeing"]) == (len(answered), sum(agrees(order) is True for order in orders))
    for witness in Witness:
        said = [order[witness] for order in orders if order.get(witness, Verdict.NOT_ASKED) is not Verdict.NOT_ASKED]
        assert found["systems"][witness]["asked"] == len(said)
        assert found["systems"][witness]["agreeing"] == said.count(Verdict.AGREES)
        assert (found["systems"][witness]["share"] is None) is (not said)


def test_silence_is_no_agreement() -> None:
    assert agrees({}) is None and agrees({Witness.ERP: Verdict.NOT_ASKED}) is None
    assert agrees({Witness.ERP: Verdict.NOT_ASKED, Witness.WMS: Verdict.AGREES}) is True
    assert part(0, 0)["share"] is None


def test_a_figure_is_never_rounded_up_to_a_hundred() -> None:
    assert [percent(share) for share in (1.0, 0.99999, 0.9997, 0.0, None)] == [
        "100 %",
        "99.99 %",
        "99.97 %",
        "0.00 %",
        "-",
    ]


@given(st.dictionaries(st.sampled_from(State), st.integers(1, 5000), min_size=1), st.integers(1, 3000))
def test_a_sample_is_as_large_as_wanted_and_has_some_of_every_state(known: dict[State, int], wanted: int) -> None:
    quota = stratify(known, wanted, 20)
    assert sum(quota.values()) == min(wanted, sum(known.values()))
    least = min(20, wanted // len(known))
    assert all(min(least, known[state]) <= quota[state] <= known[state] for state in known)
    large = [state for state in known if quota[state] > least and quota[state] < known[state]]
    for state in large:
        exact = wanted * known[state] / sum(known.values())
        assert quota[state] <= exact + 1, "only small states get more than their share"
