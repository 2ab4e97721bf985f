"""Real servers on this machine that keep what they are sent: one takes e-mail, one takes HTTP."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage

from aiohttp import web


@dataclass
class Mailbox:
    """What the e-mail server took, and how it behaves: addresses it refuses, and whether it falls silent after DATA."""

    port: int = 0
    refused: frozenset[str] = frozenset()
    silent: bool = False
    receivers: list[list[str]] = field(default_factory=list)
    letters: list[EmailMessage] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):  # who only knocked is gone before the greeting
            await self._talk(reader, writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())

        to: list[str] = []
        say("220 here")
        while line := (await reader.readline()).decode().strip():
            verb = line.split(" ")[0].upper()
            if verb == "RCPT":
                address = line.partition("<")[2].partition(">")[0]
                if address in self.refused:
                    say("550 nobody of that name")
                    continue
                to.append(address)
            elif verb == "DATA":
                say("354 go on")
                text = await reader.readuntil(b"\r\n.\r\n")
                self.letters.append(_read(text))
                self.receivers.append(to)
                to = []
                if self.silent:
                    break
            elif verb == "QUIT":
                say("221 bye")
                break
            say("250 well")


def _read(text: bytes) -> EmailMessage:
    letter = email.message_from_bytes(text.removesuffix(b".\r\n"), policy=email.policy.default)
    assert isinstance(letter, EmailMessage)
    return letter


@asynccontextmanager
async def mail_server() -> AsyncIterator[Mailbox]:
    box = Mailbox()
    server = await asyncio.start_server(box.serve, "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    async with server:
        yield box


@dataclass
class Endpoint:
    """What the HTTP server took; it answers `status`."""

    port: int = 0
    status: int = 200
    bodies: list[dict[str, str]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.json())
        return web.Response(status=self.status)


@asynccontextmanager
async def http_server() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    app = web.Application()
    app.router.add_post("/{path:.*}", endpoint.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    endpoint.port = runner.addresses[0][1]
    try:
        yield endpoint
    finally:
        await runner.cleanup()
