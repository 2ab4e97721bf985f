"""The files of reports that artifacts link to. A link carries a key that opens this file and no other."""

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from ballast.report_folder import KINDS, ReportFolder
from ballast.wiring import House, report_key
from web.bounds import brings_body
from web.gate import HEADERS, Gate, Shut

FILE_HEADERS: Final = {**HEADERS, "Content-Security-Policy": HEADERS["Content-Security-Policy"] + "; font-src data:"}
"""A page brings the letters that it needs."""


class ReportFiles:
    """Answers `/reports/{name}?key=`."""

    def __init__(self, house: House, secret: str, gate: Gate) -> None:
        self._secret, self._gate, self._folder = secret, gate, ReportFolder(house.settings.reports.folder)

    async def answer(self, request: Request) -> Response:
        """The file, or the same 404 for a wrong key as for one that is not there. 429: who guesses learns nothing."""
        name = request.path_params["name"]
        if brings_body(request):
            return PlainTextResponse("a report takes no body", 413, {**HEADERS, "Connection": "close"})
        known = self._folder.path(name)
        try:
            self._gate.admit(request, report_key(self._secret, name) if known is not None else None)
        except Shut as shut:
            if shut.why == "busy":
                return PlainTextResponse("too many requests", 429, {**HEADERS, "Retry-After": str(shut.pause)})
            return _missing()
        path = await run_in_threadpool(self._folder.find, name)
        if path is None:
            return _missing()
        return FileResponse(
            path,
            headers=FILE_HEADERS,
            media_type=KINDS[path.suffix],
            filename=name,
            content_disposition_type="attachment" if path.suffix == ".xlsx" else "inline",
        )


def _missing() -> Response:
    return PlainTextResponse("there is no such report, or the link is not whole", 404, HEADERS)
