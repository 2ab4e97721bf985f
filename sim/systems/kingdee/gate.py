"""The door of the ERP: reads a request, checks its signature, does the operation, answers in HTTP 200."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from aiohttp import web

from sim.faults import Call
from sim.replies import Unreadable, answer_json, read_object
from sim.systems.kingdee.bills import BACK, OUT, SALE, AnyBill, Bill, Ledger, OutBill, SaleBill
from sim.systems.kingdee.envelope import (
    BAD_PARAMETER,
    LOST_TEXT,
    SESSION_LOST,
    Entity,
    Refusal,
    nest_refusal,
    refuse,
    report_status,
    wrap,
)
from sim.systems.kingdee.query import QueryDesk
from sim.systems.kingdee.saving import Desk, get
from sim.systems.kingdee.signature import Credentials
from sim.world import World

PREFIX = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService."
SUFFIX = ".common.kdsvc"
QUERY = "ExecuteBillQuery"
STATUS_OPERATIONS = {"Cancel": "cancel", "YLBillClose": "close"}
EFFECTS = {"Save", "BatchSave", "Submit", "Audit", "UnAudit", "CancelAssign", "Push", "ExcuteOperation"}


class KingdeeGate:
    def __init__(self, world: World) -> None:
        self._world = world
        self._credentials = Credentials.prepare(world.config.secrets.kingdee)
        self.ledger = Ledger(world)
        self._desk = Desk(world, self.ledger)
        self._queries = QueryDesk(self.ledger, world.stocks)
        self._operations: dict[str, Callable[[str, Mapping[str, Any], bool], dict[str, Any]]] = {
            "Save": self._save,
            "BatchSave": self._batch_save,
            "Submit": lambda form, data, real: self._each(form, data, self.ledger.submit, real),
            "Audit": lambda form, data, real: self._each(form, data, self.ledger.audit, real),
            "UnAudit": lambda form, data, real: self._each(form, data, self.ledger.unaudit, real),
            "CancelAssign": lambda form, data, real: self._each(form, data, self.ledger.withdraw, real),
            "Push": self._push,
            "View": self._view,
        }

    def mount(self, app: web.Application) -> None:
        app.router.add_post("/kingdee/k3cloud/{operation}", self.handle)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self._world.tally.requests["kingdee"] += 1
        name = request.match_info["operation"].removeprefix(PREFIX).removesuffix(SUFFIX)
        body = await request.read()
        wrong = self._credentials.find_fault(request.headers, request.raw_path.split("?")[0], time.time())
        if wrong:
            self._world.tally.repeat(f"kingdee.bad_signature.{wrong}")
            return self._answer_refusal(name, Refusal(SESSION_LOST, LOST_TEXT))
        try:
            form, data, operator = read_body(body)
        except Unreadable as error:
            return web.Response(text=f"response_error:{error}")
        call = Call("kingdee", f"{name}{operator}", f"{form}:{name_subject(name, data)}", name in EFFECTS)
        return await self._world.faults.serve(request, call, lambda real: self._act(name, form, data, operator, real))

    def _act(self, name: str, form: str, data: Mapping[str, Any], operator: str, real: bool) -> web.Response:
        try:
            if name == QUERY:
                return answer_json(self._queries.run(data))
            return answer_json(self._operate(name, form, data, operator, real))
        except Refusal as refusal:
            return self._answer_refusal(name, refusal)
        except (TypeError, ValueError) as error:
            return self._answer_refusal(name, Refusal(BAD_PARAMETER, f"参数错误：{error}"))

    def _operate(self, name: str, form: str, data: Mapping[str, Any], operator: str, real: bool) -> dict[str, Any]:
        if form not in (SALE, OUT, BACK):
            raise Refusal(BAD_PARAMETER, f"业务对象“{form}”不存在", "FormId")
        if name == "ExcuteOperation":
            return self._change_status(form, data, operator, real)
        if name not in self._operations:
            raise Refusal(BAD_PARAMETER, f"服务“{name}”不存在")
        return self._operations[name](form, data, real)

    def _answer_refusal(self, name: str, refusal: Refusal) -> web.Response:
        if refusal.repeat_of:
            self._world.tally.repeat(refusal.repeat_of)
        return answer_json(nest_refusal(refusal) if name == QUERY else refuse(refusal))

    def _save(self, form: str, data: Mapping[str, Any], real: bool) -> dict[str, Any]:
        bill = self._desk.save(form, data) if real else self._pretend_save(data)
        wanted = get(data, "NeedReturnFields") or []
        returned = {field: bill.number for field in wanted if str(field).lower() == "fbillno"}
        status = report_status([Entity(bill.id, bill.number)], [])
        return wrap(status, Id=bill.id, Number=bill.number, NeedReturnData=[returned])

    def _batch_save(self, form: str, data: Mapping[str, Any], real: bool) -> dict[str, Any]:
        """Each model is saved or refused by itself, DIndex tells which."""
        models = get(data, "Model")
        if not isinstance(models, list) or not models:
            raise Refusal(BAD_PARAMETER, "参数 Model 应为数组", "Model")

        def save(model: Mapping[str, Any]) -> Bill:
            one = {**data, "Model": model}
            return self._desk.save(form, one) if real else self._pretend_save(one)

        return self._one_by_one(models, save)

    def _pretend_save(self, data: Mapping[str, Any]) -> Bill:
        model = get(data, "Model") or {}
        number = str(get(model, "FBillNo") or "") or self.ledger.next_number(SALE)
        id = int(get(model, "FID") or 0) or self.ledger.next_id()
        return Bill(id, number, self._world.adopt(number), "", [])

    def _each(
        self, form: str, data: Mapping[str, Any], act: Callable[[str, AnyBill], None], real: bool
    ) -> dict[str, Any]:
        """The operation on every bill named; each succeeds or fails by itself, DIndex tells which."""

        def do(name: Mapping[str, Any]) -> AnyBill:
            bill = self.ledger.find(form, **name)
            if real:
                act(form, bill)
            return bill

        return self._one_by_one(read_names(data), do)

    def _one_by_one(
        self, things: Sequence[Mapping[str, Any]], do: Callable[[Mapping[str, Any]], Bill]
    ) -> dict[str, Any]:
        done, failed = [], []
        for index, thing in enumerate(things):
            try:
                bill = do(thing)
                done.append(Entity(bill.id, bill.number, index))
            except Refusal as refusal:
                failed.append((index, refusal))
                if refusal.repeat_of:
                    self._world.tally.repeat(refusal.repeat_of)
        return wrap(report_status(done, failed))

    def _push(self, form: str, data: Mapping[str, Any], real: bool) -> dict[str, Any]:
        check_rule(data)
        made: list[OutBill] = []

        def act(_: str, bill: AnyBill) -> None:
            made.append(self.ledger.push(bill))

        reply = self._each(form, data, act, real)
        status = reply["Result"]["ResponseStatus"]
        if not real:
            made = [self._pretend_push(entity) for entity in status["SuccessEntitys"]]
        for entity, bill in zip(status["SuccessEntitys"], made, strict=True):
            entity.update(Id=bill.id, Number=bill.number)
        reply["Result"]["ConvertResponseStatus"] = {**status, "SuccessEntitys": []}
        return reply

    def _pretend_push(self, entity: Mapping[str, Any]) -> OutBill:
        source = self.ledger.by_id[SALE][entity["Id"]]
        return OutBill(self.ledger.next_id(), self.ledger.next_number(OUT), source.order, "", [])

    def _change_status(self, form: str, data: Mapping[str, Any], operator: str, real: bool) -> dict[str, Any]:
        if operator not in STATUS_OPERATIONS:
            raise Refusal(BAD_PARAMETER, f"操作“{operator}”不存在", "opNumber")
        reply = self._each(form, data, getattr(self.ledger, STATUS_OPERATIONS[operator]), real)
        status = reply["Result"]["ResponseStatus"]
        status["IsSuccess"] = str(status["IsSuccess"]).lower()  # this service answers with text, others with a boolean
        return reply

    def _view(self, form: str, data: Mapping[str, Any], _: bool) -> dict[str, Any]:
        number, id = get(data, "Number"), get(data, "Id")
        bill = self.ledger.find(form, number=str(number or ""), id=int(id or 0))
        return wrap(report_status([], []), Result=describe_bill(bill))


def read_body(body: bytes) -> tuple[str, dict[str, Any], str]:
    """Form, data and opNumber of the named body style; `data` is an object or the text of one."""
    outer = read_object(body)
    data = get(outer, "data")
    if isinstance(data, str):
        data = read_object(data.encode())
    if not isinstance(data, dict):
        raise Unreadable("data is missing")
    return str(get(outer, "formid") or get(data, "FormId") or ""), data, str(get(outer, "opNumber") or "")


def name_subject(operation: str, data: Mapping[str, Any]) -> str:
    """What the request is about, for faults that repeat with the seed."""
    if operation == "Save":
        return name_model(get(data, "Model") or {})
    if operation == "BatchSave":
        return ",".join(name_model(model) for model in get(data, "Model") or [])
    if operation == QUERY:
        return str(get(data, "FilterString"))
    return orjson.dumps([get(data, "Numbers"), get(data, "Ids"), get(data, "Number")]).decode()


def name_model(model: Mapping[str, Any]) -> str:
    return str(get(model, "FBillNo") or get(model, "FID"))


def read_names(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Arguments for Ledger.find: `Numbers` is an array, `Ids` a text with commas."""
    numbers = get(data, "Numbers") or []
    if not isinstance(numbers, list):
        raise Refusal(BAD_PARAMETER, "参数 Numbers 应为数组", "Numbers")
    names: list[dict[str, Any]] = [{"number": str(number)} for number in numbers]
    names += [{"id": int(id)} for id in str(get(data, "Ids") or "").split(",") if id.strip()]
    if not names:
        raise Refusal(BAD_PARAMETER, "参数 Numbers 与 Ids 不能同时为空", "Numbers")
    return names


def check_rule(data: Mapping[str, Any]) -> None:
    by_default = str(get(data, "IsEnableDefaultRule")).lower() == "true"
    if get(data, "RuleId") != "SaleOrder-OutStock" and not (by_default and get(data, "TargetFormId") == OUT):
        raise Refusal(BAD_PARAMETER, f"转换规则“{get(data, 'RuleId')}”不存在", "RuleId")


def describe_bill(bill: AnyBill) -> dict[str, Any]:
    entries = [{"Id": e.id, "MaterialId": {"Number": e.material}, "Qty": float(e.quantity)} for e in bill.entries]
    described = {"Id": bill.id, "BillNo": bill.number, "DocumentStatus": bill.status, "Date": bill.date}
    described["CancelStatus"] = "B" if bill.cancelled else "A"
    if isinstance(bill, OutBill):
        return {**described, "SAL_OUTSTOCKENTRY": entries, "OutStockTrace": bill.traces}
    if not isinstance(bill, SaleBill):
        return {**described, "SAL_RETURNSTOCKENTRY": entries}
    return {**described, "CloseStatus": "B" if bill.closed else "A", "SaleOrderEntry": entries}
