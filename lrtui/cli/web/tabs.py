"""A tab of the browser: a WebSocket on one side, a monitor process on pipes on the other.

textual-serve's AppService communicates with the process. It would run a command line in a shell, and leave a process behind that
does not end on request; both are replaced here. Of the browser's messages, only keys and sizes are passed on to the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import WSMsgType, web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager
from typing_extensions import override

MOST_TABS = 16
"""Tabs open at once: each is a process of about 60 MB."""
_MOST_BYTES = 1 << 20
"""Bytes of one message: a large paste."""
_PATIENCE_SECONDS = (3.0, 2.0)
"""Seconds for a monitor to leave on request, then after SIGTERM."""


class Tab(AppService):
    """One monitor process; `start`, `obey` what the browser sends, `stop`."""

    def __init__(self, words: list[str], socket: web.WebSocketResponse) -> None:
        super().__init__(
            shlex.join(words),  # never run: see _open_app_process
            write_bytes=socket.send_bytes,
            write_str=socket.send_str,
            close=_closer(socket),
            download_manager=DownloadManager(),
        )
        self._words = words
        self._socket = socket

    @override
    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        process = await create_subprocess_exec(
            *self._words,
            f"--browser={_size(width, height)}",
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env={"LRTUI_ASCII": "0", **os.environ, "TEXTUAL_COLOR_SYSTEM": "truecolor"},
            start_new_session=True,  # Ctrl-C reaches the server, which ends the tabs
        )
        self._process, self._stdin = process, process.stdin
        return process

    @override
    async def run(self) -> None:
        """Pass on the monitor's output, and close the WebSocket when the monitor has ended for any reason."""
        await super().run()
        await self.remote_close()

    async def obey(self) -> None:
        """Pass on keys and sizes until the page is closed."""
        async for message in self._socket:
            if message.type == WSMsgType.TEXT:
                await self.take(message.data)

    async def take(self, text: str) -> None:
        """Handle one browser message; ignore unknown ones."""
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            return
        match said:
            case ["stdin", str(keys)]:
                # an empty packet would stop Textual's reader
                if typed := keys.encode("utf-8", "ignore"):
                    await self.send_bytes(typed)
            case ["resize", {"width": int(width), "height": int(height)}]:
                await self.set_terminal_size(*_bounded(width, height))
            case ["ping", str(stamp)]:
                await self.remote_write_str(json.dumps(["pong", stamp[:40]]))

    @override
    async def stop(self) -> None:
        """End the monitor: first a request, then SIGTERM, then SIGKILL. The runs are not touched."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(super().stop(), _PATIENCE_SECONDS[0])
        for end, seconds in zip((process.terminate, process.kill), _PATIENCE_SECONDS, strict=True):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), seconds)
            if process.returncode is None:
                end()
        await process.wait()


class Tabs:
    """All tabs of one server."""

    def __init__(self, directory: Path, *, view_only: bool) -> None:
        view = ["--view"] if view_only else []
        # -P: nothing is imported from the current folder
        self._words = [sys.executable, "-P", "-m", "lrtui", "open", str(directory.resolve()), *view]
        self._open: set[Tab] = set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Open a tab for a WebSocket, and return when it has closed."""
        if len(self._open) >= MOST_TABS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_TABS} tabs are open; close one\n")
        socket = web.WebSocketResponse(timeout=1.0, heartbeat=15, max_msg_size=_MOST_BYTES)
        tab = Tab(self._words, socket)
        self._open.add(tab)
        try:
            await socket.prepare(request)
            await tab.start(_number(request, "width", 80), _number(request, "height", 24))
            await tab.obey()
        finally:
            await tab.stop()
            self._open.discard(tab)
            if socket.prepared:
                await socket.close()
        return socket

    async def end(self) -> None:
        """End all of them."""
        await asyncio.gather(*(tab.stop() for tab in list(self._open)))


def _closer(socket: web.WebSocketResponse) -> Callable[[], Awaitable[None]]:
    async def close() -> None:
        await socket.close()

    return close


def _number(request: web.Request, name: str, usual: int) -> int:
    text = request.query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else usual


def _bounded(width: int, height: int) -> tuple[int, int]:
    """Return a size that a screen can have: every cell costs memory."""
    return min(max(width, 20), 600), min(max(height, 5), 200)


def _size(width: int, height: int) -> str:
    return "{}x{}".format(*_bounded(width, height))
