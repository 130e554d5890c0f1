"""A headless Chromium, driven over its DevTools protocol, with an emulated screen of what its page has received."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import os
import shutil
import signal
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pyte
import pytest

from tests.tui.terminal import _KITTY as PRIVATE
from tests.until import PATIENCE_SECONDS, until

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or ""


class Browser:
    """One window with one page."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.screen = pyte.Screen(80, 24)
        """As wide and as high as the page last told the monitor."""
        self._stream = pyte.ByteStream(self.screen)
        self._socket = socket
        self._numbers = itertools.count(1)

    async def ask(self, method: str, **given: Any) -> dict[str, Any]:
        """Return the result of a command of the protocol."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": given})
        while True:
            said = msgspec.json.decode((await self._socket.receive(PATIENCE_SECONDS)).data)
            if said.get("id") == number:
                assert "error" not in said, said
                return said["result"]
            self._observe(said.get("method", ""), said.get("params", {}))

    def _observe(self, method: str, said: dict[str, Any]) -> None:
        if method not in {"Network.webSocketFrameReceived", "Network.webSocketFrameSent"}:
            return
        text, binary = said["response"]["payloadData"], said["response"]["opcode"] == 2
        if method.endswith("Received") and binary:
            self._stream.feed(PRIVATE.sub(b"", base64.b64decode(text)))
        elif text.startswith('["resize"'):
            size = msgspec.json.decode(text)[1]
            self.screen.resize(size["height"], size["width"])

    async def value(self, expression: str) -> Any:
        """Return what a line of JavaScript says in the page."""
        found = await self.ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        return found["result"].get("value")

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until what the page has received makes a condition true."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end, "\n".join(self.screen.display)
            await self.value("new Promise(done => setTimeout(done, 50))")

    async def says(self, words: str) -> None:
        """Wait until the page itself, beside the terminal, shows words."""
        end = time.monotonic() + PATIENCE_SECONDS
        while words not in (said := await self.value("document.body.innerText") or ""):
            assert time.monotonic() < end, said

    async def size(self, width: int, height: int) -> None:
        """Give the window a size in pixels."""
        await self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )  # fmt: skip

    async def press(self, key: str) -> None:
        """Press a letter in the page, which has given the keyboard to the terminal."""
        code = ord(key.upper())
        for kind, more in (("keyDown", {"text": key}), ("keyUp", {})):
            await self.ask("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **more)  # fmt: skip


@contextlib.asynccontextmanager
async def browser(profile: Path) -> AsyncIterator[Browser]:
    """Start a Chromium whose profile is a folder."""
    child = await asyncio.create_subprocess_exec(
        PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-breakpad", "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank",
        stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        port = await asyncio.to_thread(
            until, lambda: _port(profile / "DevToolsActivePort") or _ended(child.pid)
        )
        if port is True:
            pytest.skip("Chromium does not start on this machine")
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = await answer.json(content_type=None)
            address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
            async with session.ws_connect(address, max_msg_size=0) as socket:
                yield Browser(socket)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()


def _ended(pid: int) -> bool:
    return not Path(f"/proc/{pid}/exe").exists()


def _port(file: Path) -> str:
    lines = file.read_text().splitlines() if file.exists() else []
    return lines[0] if len(lines) > 1 else ""
