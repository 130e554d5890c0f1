"""A real `lrtui serve`, and what asks it: raw requests, and a WebSocket client with an emulated screen behind it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pyte

from lrtui.workers import keeper
from tests.tui.terminal import _KITTY as PRIVATE
from tests.until import PATIENCE_SECONDS, until

ROOT = Path(__file__).parents[2]


class Served:
    """One server on a directory."""

    def __init__(self, directory: Path, *words: str, cwd: Path) -> None:
        self.said = cwd / "said.txt"
        with self.said.open("w") as out:
            self.child = subprocess.Popen(
                [sys.executable, "-P", "-m", "lrtui", "serve", str(directory), *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={k: v for k, v in os.environ.items() if k != "NO_COLOR"}
                | {"PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )
        self.address = until(self._address)
        parts = urlsplit(self.address)
        self.host = parts.netloc
        self.port = parts.port
        self.token = parts.query.removeprefix("token=")

    def _address(self) -> str:
        assert self.child.poll() is None, self.said.read_text()
        words = [word for word in self.said.read_text().split() if word.startswith("http://")]
        return words[0] if words and "Ctrl-C" in self.said.read_text() else ""

    def ask(
        self, path: str, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the answer to a request; a Host of "" is left away."""
        given = {"Host": self.host} | (headers or {})
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        with contextlib.closing(line):
            line.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
            for name, value in given.items():
                if value:
                    line.putheader(name, value.encode())
            line.endheaders()
            answer = line.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def admitted(self) -> tuple[str, str]:
        """Return the path below which all lies, and the cookie that opens it."""
        status, headers, _ = self.ask(f"/?token={self.token}")
        assert status == 303
        return headers["Location"], headers["Set-Cookie"].partition(";")[0]

    def tabs(self) -> list[int]:
        """Return the processes that the server has started and that live.

        The kernel's own list of a thread's children leaves some out while others end.
        """
        pids = sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())
        return [pid for pid in pids if keeper.stat_fields(pid)[1:2] == [str(self.child.pid)]]

    def end(self, number: int = signal.SIGINT) -> int:
        self.child.send_signal(number)
        return self.child.wait(PATIENCE_SECONDS)


@contextlib.contextmanager
def served(directory: Path, *words: str, cwd: Path) -> Iterator[Served]:
    server = Served(directory, *words, cwd=cwd)
    try:
        yield server
    finally:
        if server.child.poll() is None:
            server.end(signal.SIGTERM)


class Page:
    """What a browser does after it has opened the address."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, width: int, height: int) -> None:
        self.socket = socket
        self.screen = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = bytearray()
        self.pongs: list[str] = []

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    async def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end, self.text
            await self.read(0.2)

    async def read(self, seconds: float) -> None:
        try:
            message = await self.socket.receive(seconds)
        except (TimeoutError, ConnectionResetError):  # a ping can be answered too late
            return
        if message.type == aiohttp.WSMsgType.BINARY:
            self.raw += message.data
            self._stream.feed(PRIVATE.sub(b"", message.data))
        elif message.type == aiohttp.WSMsgType.TEXT:
            self.pongs.append(json.loads(message.data)[1])

    async def shows(self, *words: str) -> None:
        await self.until(lambda: all(word in self.text for word in words))

    async def press(self, keys: str) -> None:
        await self.socket.send_str(json.dumps(["stdin", keys]))

    async def ended(self) -> None:
        await self.until(lambda: self.socket.closed)


@contextlib.asynccontextmanager
async def opened(server: Served, width: int = 160, height: int = 45) -> AsyncIterator[Page]:
    place, cookie = server.admitted()
    headers = {"Cookie": cookie, "Origin": f"http://{server.host}"}
    where = f"ws://{server.host}{place}ws?width={width}&height={height}"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(where, headers=headers, max_msg_size=0) as socket,
    ):
        yield Page(socket, width, height)


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for a condition without standing in the way of the pages."""
    await asyncio.to_thread(until, condition)


def lives(pid: int) -> bool:
    return keeper.start_time(pid) is not None and not keeper.is_zombie(pid)
