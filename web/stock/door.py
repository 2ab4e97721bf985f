"""Answers `GET /stock`, for whoever has the key: some SKUs, a warehouse, a region, or everything page by page."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from ballast.db.engine import DATABASE_ERRORS, make_engine
from ballast.db.promises import read_promises
from ballast.db.stock_view import skus_from, warehouses_of
from ballast.stock_answer import answer
from ballast.wiring import House
from web.answers import not_now, refuse, refuse_strangers, say
from web.gate import Bearer
from web.hooks.refusals import Refusal

MOST_SKUS: Final = 200
"""In one question, and on one page."""
PAGE: Final = 100
LONGEST: Final = 100
NAMES: Final = frozenset({"sku", "region", "warehouse", "after", "limit"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked for. Without `skus` a page of all of them, those behind `after`."""

    skus: tuple[str, ...] = ()
    region: str = ""
    warehouse: str = ""
    after: str = ""
    limit: int = PAGE


class StockDoor:
    """The stock answers of one process."""

    def __init__(self, house: House, key: str) -> None:
        self._house = house
        self._bearer = Bearer(key, house.settings.limits, house.clock)
        url = house.engine.url.render_as_string(hide_password=False)
        engine = make_engine(url, plan_once=True)
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")  # one round trip less, twice

    async def close(self) -> None:
        """Give back the connections."""
        await self._engine.dispose()

    async def answer(self, request: Request) -> Response:
        """200 and the stock; 400 what is wrong with the question; 401 without the key, 429 for who guesses."""
        try:
            refuse_strangers(self._bearer, request, "BALLAST_STOCK_KEY")
            question = read_question(request.query_params)
            async with self._engine.connect() as tx:
                return say(200, await _find(tx, question, self._house.clock.now()))
        except Refusal as refusal:
            return refuse(refusal)
        except DATABASE_ERRORS:
            return not_now()


def read_question(given: QueryParams) -> Question:
    """Raises `Refusal` for whatever it does not know: a misspelt name must not answer another question."""
    if unknown := sorted(set(given) - NAMES):
        raise Refusal(400, f"there is no {unknown[0][:40]!r} here; there are {', '.join(sorted(NAMES))}")
    skus = tuple(dict.fromkeys(given.getlist("sku")))
    if len(skus) > MOST_SKUS:
        raise Refusal(400, f"{len(skus)} SKUs: ask for at most {MOST_SKUS} at once")
    single = {name: given.get(name, "") for name in ("region", "warehouse", "after")}
    for name, value in [*(("sku", sku) for sku in skus), *single.items()]:
        if len(value) > LONGEST or not (value.isprintable() and (value or name != "sku")):
            raise Refusal(400, f"{name} has to be a code of at most {LONGEST} characters")
    if skus and (single["after"] or "limit" in given):
        raise Refusal(400, "pages are for all SKUs: leave out sku, or after and limit")
    return Question(skus=skus, limit=_limit(given.get("limit", str(PAGE))), **single)


def _limit(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) < 5 and 1 <= int(text) <= MOST_SKUS:
        return int(text)
    raise Refusal(400, f"limit has to be 1 to {MOST_SKUS}")


async def _find(tx: AsyncConnection, question: Question, now: datetime) -> dict[str, Any]:
    warehouses = await _warehouses(tx, question)
    skus, following = question.skus, None
    if not skus:
        found = await skus_from(tx, question.after, question.limit + 1, warehouses=warehouses)
        skus = tuple(found[: question.limit])
        following = skus[-1] if len(found) > question.limit else None
    promises = await read_promises(tx, skus, now=now)
    if warehouses is not None:
        promises = [one for one in promises if one.warehouse in warehouses]
    said = {"at": now, "stock": answer(promises, now), "next": following}
    if question.skus:
        said["unknown"] = sorted(set(skus) - {one.sku for one in promises})
    return said


async def _warehouses(tx: AsyncConnection, question: Question) -> list[str] | None:
    """The warehouses that are asked for; None: all."""
    codes = [question.warehouse] if question.warehouse else None
    if question.region:
        there = await warehouses_of(tx, question.region)
        if not there:
            raise Refusal(404, f"no warehouse is in a region {question.region!r}")
        codes = there if codes is None else [code for code in codes if code in there]
    return codes
