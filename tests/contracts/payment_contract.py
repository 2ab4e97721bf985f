"""What every payment adapter must do, against a world that knows the truth: subclass it, give payment, hook, world."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.errors import BadSignature, OutcomeUnknown, Refused, Unavailable
from ballast.domain.money import Money
from ballast.domain.words import Event
from ballast.ports import Charge, Hook, News, Payment, Refund, RefundRequest
from tests.contracts.outside import World
from tests.contracts.wms_contract import as_request, read_hooks


class PaymentContract:
    async def test_ping_says_who_answers(self, payment: Payment) -> None:
        assert await payment.ping()

    async def test_an_unpaid_order_is_not_captured(self, payment: Payment, world: World) -> None:
        order_no = await _place(world)
        [news] = await payment.ask(order_no)
        assert (news.event, news.charge, news.order_no) == (Event.NOTED, None, order_no)

    async def test_an_unknown_order_is_no_news(self, payment: Payment) -> None:
        assert list(await payment.ask("SO-NOBODY-KNOWS")) == []

    async def test_asking_and_hearing_tell_the_same_charge(self, payment: Payment, hook: Hook, world: World) -> None:
        order_no = await _place(world)
        heard = await _pay(world, hook, order_no)
        [asked] = await payment.ask(order_no)
        assert heard == asked
        assert heard.event is Event.PAYMENT_CAPTURED
        [told] = (await world.truth(order_no))["payments"]
        assert heard.charge is not None
        assert (heard.charge.transaction_id, heard.charge.amount) == (told["transaction_id"], Money(told["amount"]))

    async def test_a_second_charge_is_heard_as_another_transaction(
        self, payment: Payment, hook: Hook, world: World
    ) -> None:
        order_no = await _place(world)
        first = await _pay(world, hook, order_no)
        second = await _pay(world, hook, order_no, twice=True)
        assert first.charge is not None
        assert second.charge is not None
        assert first.charge.transaction_id != second.charge.transaction_id

    async def test_the_amount_is_told_as_it_was_taken(self, payment: Payment, hook: Hook, world: World) -> None:
        order_no = await _place(world)
        news = await _pay(world, hook, order_no, amount=1)
        assert news.charge is not None
        assert news.charge.amount == Money(1)

    async def test_a_forged_or_late_notice_is_not_believed(self, hook: Hook, world: World) -> None:
        order_no = await _place(world)
        [sent] = (await world.act(order_no, "pay"))["sent"]
        request, now = as_request(sent), datetime.now(UTC)
        assert hook.receive(request, now).messages
        with pytest.raises(BadSignature):
            hook.receive(replace(request, body=request.body.replace(b"SUCCESS", b"CLOSED!")), now)
        with pytest.raises(BadSignature):
            hook.receive(request, now + timedelta(minutes=6))

    @pytest.mark.parametrize("look_first", [False, True])
    async def test_money_goes_back_once(self, payment: Payment, hook: Hook, world: World, look_first: bool) -> None:
        request = await _refund_request(world, hook)
        first = await payment.refund(request)
        assert (await payment.refund(request, look_first=look_first)).reference == first.reference
        [told] = await _refunds(world, request)
        assert (told["out_refund_no"], told["amount"]) == (request.refund_no, request.amount.amount)
        assert await world.duplicates() == {}

    async def test_a_time_out_after_the_effect_is_looked_up(self, payment: Payment, hook: Hook, world: World) -> None:
        request = await _refund_request(world, hook)
        await world.faults(system="*", timeout_after_effect=1.0, hang_seconds=0.0)
        with pytest.raises(OutcomeUnknown, match=request.order_no):
            await payment.refund(request)
        assert (await payment.refund(request, look_first=True)).reference
        assert len(await _refunds(world, request)) == 1
        assert await world.duplicates() == {}

    async def test_an_answer_without_effect_is_seen_by_looking(
        self, payment: Payment, hook: Hook, world: World
    ) -> None:
        request = await _refund_request(world, hook)
        await world.faults(system="*", success_without_effect=1.0)
        with pytest.raises(OutcomeUnknown, match=request.order_no):
            await payment.refund(request)
        await world.calm()
        assert await _refunds(world, request) == []
        await payment.refund(request, look_first=True)
        assert len(await _refunds(world, request)) == 1

    async def test_an_outage_is_unavailable_and_nothing_happened(
        self, payment: Payment, hook: Hook, world: World
    ) -> None:
        request = await _refund_request(world, hook)
        await world.faults(system="*", error_rate=1.0)
        for call in (payment.refund(request), payment.ask(request.order_no)):
            with pytest.raises(Unavailable):
                await call
        assert await _refunds(world, request) == []

    async def test_no_more_than_was_taken_goes_back(self, payment: Payment, hook: Hook, world: World) -> None:
        request = await _refund_request(world, hook)
        more = Money(request.captured.amount + 1)
        with pytest.raises(Refused, match=request.order_no):
            await payment.refund(replace(request, amount=more))
        await payment.refund(request)
        with pytest.raises(Refused, match=request.order_no):  # by the provider: the charge is used up
            await payment.refund(replace(request, refund_no=f"{request.refund_no}-B"))
        assert len(await _refunds(world, request)) == 1

    async def test_a_whole_refund_is_heard(self, payment: Payment, hook: Hook, world: World) -> None:
        request = await _refund_request(world, hook)
        await payment.refund(request)
        _assert_refunded(request, await _finish_refund(world, hook, request))

    async def test_asking_about_a_refund_and_hearing_of_it_say_the_same(
        self, payment: Payment, hook: Hook, world: World
    ) -> None:
        request = await _refund_request(world, hook)
        await payment.refund(request)
        heard = await _finish_refund(world, hook, request)
        assert await payment.ask_refund(request.order_no, request.refund_no) == (heard,)

    async def test_a_refund_that_was_never_asked_for_is_no_news(
        self, payment: Payment, hook: Hook, world: World
    ) -> None:
        request = await _refund_request(world, hook)
        assert list(await payment.ask_refund(request.order_no, request.refund_no)) == []

    async def test_a_partial_refund_is_heard_with_what_the_charge_took(
        self, payment: Payment, hook: Hook, world: World
    ) -> None:
        request = replace(await _refund_request(world, hook), amount=Money(1))
        await payment.refund(request)
        _assert_refunded(request, await _finish_refund(world, hook, request))


async def _place(world: World) -> str:
    placed = await world.place(lines=[{"sku": "SKU-001", "quantity": 1}])
    return str(placed["order"]["order_no"])


async def _pay(world: World, hook: Hook, order_no: str, **details: Any) -> News:
    [news] = read_hooks(hook, (await world.act(order_no, "pay", **details))["sent"])
    return news


async def _refund_request(world: World, hook: Hook) -> RefundRequest:
    order_no = await _place(world)
    charge = (await _pay(world, hook, order_no)).charge
    assert isinstance(charge, Charge)
    return RefundRequest(
        order_no=order_no,
        transaction_id=charge.transaction_id,
        refund_no=f"{order_no}-twice",
        amount=charge.amount,
        captured=charge.amount,
        why="第二次付款",
    )


async def _refunds(world: World, request: RefundRequest) -> list[dict[str, Any]]:
    return list((await world.truth(request.order_no))["refunds"])


async def _finish_refund(world: World, hook: Hook, request: RefundRequest) -> News:
    [news] = read_hooks(hook, (await world.act(request.order_no, "refunded"))["sent"])
    return news


def _assert_refunded(request: RefundRequest, news: News) -> None:
    told = Refund(
        refund_no=request.refund_no,
        transaction_id=request.transaction_id,
        amount=request.amount,
        captured=request.captured,
    )
    assert (news.event, news.refund) == (Event.REFUNDED, told)
