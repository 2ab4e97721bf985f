"""The whole way of one order with everything that its page can show: written through the doors that the steps use."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from ballast.db import cases as orders
from ballast.db import effects, inbox, intake, moves, news
from ballast.db.alerts import raise_alerts
from ballast.db.answers import answer_alerts, find_alerts
from ballast.db.case import Case
from ballast.db.effects import Result
from ballast.db.engine import rows
from ballast.domain.money import Money
from ballast.domain.words import Event, HoldReason, System
from ballast.ports import Charge, Line, Message, News, Order, Parcel, Receiver
from ballast.wiring import House

NAME, MOBILE, ADDRESS, OPENID = "欧阳娜娜", "13912345678", "高科中路 1888 弄 7 号 502 室", "oTest00000000000000000000Q7"
START = datetime(2026, 11, 10, 12, 3, 21, tzinfo=UTC)
CHARGE = "4200002711202611100000000001"


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def order(order_no: str, **changes: Any) -> Order:
    values: dict[str, Any] = {
        "order_no": order_no, "channel": "wechat", "placed_at": START, "paid_at": None, "total": Money(35_780),
        "freight": Money(800), "discount": Money(2_000), "customer_no": "C000427", "openid": OPENID,
        "receiver": Receiver(name=NAME, mobile=MOBILE, province="上海", city="上海市", district="浦东新区",
                             address=ADDRESS),
        "lines": (
            Line(line_no=1, sku="SKU-1042", name="不锈钢保温杯 500 ml · 雾蓝", quantity=2, unit_price=12_900,
                 amount=25_800),
            Line(line_no=2, sku="SKU-2210", name="便携咖啡滤杯 <家用>", quantity=1, unit_price=11_180, amount=11_180),
        ),
    }  # fmt: skip
    return Order(**{**values, **changes})


class Story:
    """Writes one order's life into the database, one transaction per chapter."""

    def __init__(self, house: House, order_no: str) -> None:
        self._house, self.order_no = house, order_no
        self._id = 0

    async def place(self, **changes: Any) -> None:
        async with self._house.transaction() as tx:
            ids = await intake.insert_orders(tx, [order(self.order_no, **changes)], source="direct", now=START,
                                             waits=self._house.waits)  # fmt: skip
        self._id = ids[self.order_no]

    async def tell(self, now: datetime, chapter: Callable[[Case], object]) -> None:
        """Let something happen to the order."""
        async with self._house.transaction() as tx:
            (case,) = await orders.load(tx, now=now, waits=self._house.waits, ids=[self._id])
            chapter(case)
            await moves.write(tx, [case])

    async def hear(self, now: datetime, one: News) -> None:
        await self.tell(now, lambda case: news.apply(case, one))

    async def count_charge(self, transaction: str) -> None:
        async with self._house.transaction() as tx:
            await tx.execute(text("update payment set state = 'counted' where order_id = :id and transaction_id = :no"),
                             {"id": self._id, "no": transaction})  # fmt: skip

    async def do(self, kind: str, now: datetime, *, part: str = "", **result: Any) -> None:
        """An effect outside, made and written down."""
        key = f"{kind}:{self.order_no}{part and f':{part}'}"
        ended = Result(**{"key": key, "state": "done", "receipt": {}, **result})
        async with self._house.transaction() as tx:
            await effects.begin(tx, kind, [(key, self._id, "0123456789abcdef")], now)
            await effects.finish(tx, [ended], now + timedelta(seconds=1))
            if ended.state == "done":
                await tx.execute(text("update outbox set done_at = :now, due_at = null where key = :key"),
                                 {"now": now, "key": key})  # fmt: skip

    def says(self, system: System, field: str, said: str, event: Event, when: datetime, words: str = "",
             **more: Any) -> News:  # fmt: skip
        return News(system=system, order_no=self.order_no, happened_at=when, field=field, said=said, event=event,
                    text=words, **more)  # fmt: skip


async def tell_to_hold(house: House, order_no: str) -> Story:
    """Paid (twice), shipped in two parcels, one signed; the other is damaged, and somebody looks after it."""
    story = Story(house, order_no)
    await story.place()
    await _pay(story)
    await _ship(story)
    await _go(story)
    await _stumble(house, story)
    return story


async def _pay(story: Story) -> None:
    def charge(transaction: str, when: datetime) -> News:
        taken = Charge(transaction_id=transaction, amount=Money(34_980 + 800), merchant="1900000001", paid_at=when,
                       payer=OPENID)  # fmt: skip
        return story.says(System.WECHATPAY, "trade_state", "SUCCESS", Event.PAYMENT_CAPTURED, when, charge=taken)

    await story.hear(at(0.02), charge(CHARGE, at(0.02)))

    def confirm(case: Case) -> None:
        case.milestones["paid_at"] = at(0.02)
        case.take(Event.PAYMENT_CONFIRMED, cause="confirm", actor="ballast", happened_at=at(0.02),
                  text="357.80 CNY in 1 charge(s)")  # fmt: skip

    await story.tell(at(0.021), confirm)
    await story.count_charge(CHARGE)
    await story.hear(at(0.05), charge("4200002711202611100000000002", at(0.05)))
    await story.do("payment.refund", at(0.06), part="4200002711202611100000000002",
                   receipt={"reference": "50300000002026111000000000001"})  # fmt: skip
    await story.do("erp.reserve", at(0.03), receipt={"reference": "XSDD-20261110-0427"})
    await story.tell(at(0.04), lambda case: case.take(Event.STOCK_LOCKED, cause="lock", actor="ballast",
                                                      text="SKU-1042 × 2, SKU-2210 × 1 in CK001"))  # fmt: skip


async def _ship(story: Story) -> None:
    await story.do("wms.create", at(0.05), receipt={"reference": "WMS1000427"})
    words = {"ACCEPT": "仓库接单", "PICK": "拣货", "PACKAGE": "打包"}
    for hours, said in ((1, "ACCEPT"), (3, "PICK"), (3.4, "PACKAGE")):
        report = story.says(System.QIMEN, "processStatus", said, Event.WAREHOUSE_PROGRESS, at(hours), words[said])
        await story.hear(at(hours), report)
    parcels = (Parcel(carrier="YTO", waybill="YT8877665544332", items={"SKU-1042": 2}),
               Parcel(carrier="YTO", waybill="YT8877665544333", items={"SKU-2210": 1}))  # fmt: skip
    await story.hear(at(4), story.says(System.QIMEN, "status", "DELIVERED", Event.SHIPPED, at(4), parcels=parcels))
    for parcel in parcels:
        await story.do("courier.subscribe", at(4.01), part=parcel.waybill, receipt={"reference": parcel.waybill})
    await story.do("shop.shipped", at(4.02), receipt={"reference": CHARGE})
    await story.do("erp.outbound", at(4.02), state="refused", error="kingdee [500]: 单据日期所在期间已关账")


async def _go(story: Story) -> None:
    def scan(hours: float, waybill: str, code: str, event: Event, words: str, **more: Any) -> News:
        return story.says(System.KDNIAO, "StateEx", code, event, at(hours), words, waybill=waybill,
                          first_scan_at=at(6), **more)  # fmt: skip

    one, two = "YT8877665544332", "YT8877665544333"
    await story.hear(at(6), scan(6, one, "1", Event.SCANNED, "【上海市】圆通青浦网点 已揽收"))
    await story.hear(at(6.1), scan(6, two, "1", Event.SCANNED, "【上海市】圆通青浦网点 已揽收"))
    await story.hear(at(20), scan(20, one, "416", Event.HELD, f"致电 {MOBILE} 无人接听, 无法联系{NAME}",
                                  reason=HoldReason.COURIER_PROBLEM))  # fmt: skip
    await story.hear(at(22), scan(22, one, "202", Event.SCANNED, "【上海市】快递员王师傅正在派件"))
    await story.hear(at(23), scan(23, one, "301", Event.PARCEL_SIGNED, f"{NAME} 已签收, 送至{ADDRESS}"))


async def _stumble(house: House, story: Story) -> None:
    damaged = story.says(System.KDNIAO, "StateEx", "414", Event.HELD, at(26), "【上海市】外包装破损, 内件待确认",
                         waybill="YT8877665544333", reason=HoldReason.COURIER_DAMAGED)  # fmt: skip
    await story.hear(at(26.2), damaged)
    letter = Message(event_id=f"parked-{story.order_no}", topic="push", order_no=story.order_no, payload={"a": 1})
    async with house.transaction() as tx:
        order_id = (await rows(tx, "select id from sales_order where order_no = :no", no=story.order_no))[0].id
        alert = {
            "key": f"hold:{story.order_no}",
            "level": "warning",
            "title": "on hold",
            "text": "",
            "order_id": order_id,
        }
        await raise_alerts(tx, [alert], at(26.5))
        [raised] = await find_alerts(tx, order_nos=[story.order_no])
        await answer_alerts(tx, [raised.id], by="李敏", now=at(27), resolve=False)
        await inbox.store(tx, [("kdniao", letter)], at(28))
        await tx.execute(text("update inbox set state = 'parked', note = :note where event_id = :id"),
                         {"id": letter.event_id, "note": "code '430' of field 'StateEx' is in no map"})  # fmt: skip
        await tx.execute(text("update outbox set due_at = null, attempts = 3, note = :note where key = :key"),
                         {"key": f"erp.outbound:{story.order_no}", "note": "单据日期所在期间已关账"})  # fmt: skip
