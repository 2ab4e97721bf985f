"""How control requests are read and answered: JSON both ways, refusals with a status and a reason."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from aiohttp import web

from sim.faults import BadFault
from sim.life import Impossible
from sim.replies import Unreadable, answer_json, read_object
from sim.world import UnknownOrder

Action: TypeAlias = Callable[[web.Request, dict[str, Any]], Awaitable[dict[str, Any]]]
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answering(act: Action) -> Handler:
    """404 for what is not known, 409 for what does not fit, 400 for what cannot be read."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            raw = await request.read()
            return answer_json(await act(request, read_object(raw) if raw else {}))
        except UnknownOrder as error:
            return answer_json({"error": str(error)}, 404)
        except Impossible as error:
            return answer_json({"error": str(error)}, 409)
        except KeyError as error:
            return answer_json({"error": f"missing or unknown: {error}"}, 400)
        except (BadFault, Unreadable, TypeError, ValueError) as error:
            return answer_json({"error": str(error)}, 400)

    return handle
