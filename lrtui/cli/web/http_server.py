"""The HTTP server: its routes, and its life until the last tab has ended."""

from __future__ import annotations

import asyncio
import html
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from string import Template

import textual_serve
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from lrtui.cli.web.guard import Guard, close_up, is_loopback
from lrtui.cli.web.tabs import Tabs
from lrtui.text.clean import clean

_STATIC = Path(textual_serve.__file__).parent / "static"
"""textual-serve's terminal: a script, a style sheet, and two fonts."""
_PAGE = Path(__file__).with_name("page.html")
_FOCUS = Path(__file__).with_name("focus.js")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page may load only from this server. (xterm.js creates its styles at run time.)"""


def serve(directory: Path, listening: socket.socket, host: str, *, view_only: bool) -> int:
    """Serve until a signal; return 128 and its number."""
    logging.getLogger("aiohttp.server").addFilter(_in_one_line)
    return asyncio.run(_serve(directory, listening, host, view_only=view_only))


async def _serve(directory: Path, listening: socket.socket, host: str, *, view_only: bool) -> int:
    address, port = listening.getsockname()[:2]
    guard, tabs = Guard(host, port), Tabs(directory, view_only=view_only)
    ended = _signalled()
    runner = web.AppRunner(_application(guard, tabs, directory), access_log=None)
    await runner.setup()
    await web.SockSite(runner, listening, shutdown_timeout=2.0).start()
    if not is_loopback(address):
        print(_warning(host), file=sys.stderr)
    print(f"open  {guard.address}\n{_advice(port)}", flush=True)
    try:
        return 128 + await ended
    finally:
        await tabs.end()
        await runner.cleanup()


def _application(guard: Guard, tabs: Tabs, directory: Path) -> web.Application:
    page = Template(_PAGE.read_text("utf-8"))
    title = html.escape(clean(directory.resolve().name, 80))

    async def answer(request: web.Request) -> web.Response:
        host = request.headers["Host"]  # a refusal by the guard
        text = page.substitute(title=title, socket=f"ws://{host}{guard.place}ws")
        policy = {"Content-Security-Policy": _POLICY.format(host=host)}
        return web.Response(text=text, content_type="text/html", headers=policy)

    async def focus(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(_FOCUS)

    application = web.Application(middlewares=[guard.middleware], client_max_size=0)
    application.on_response_prepare.append(close_up)
    application.router.add_get(guard.place, answer)
    application.router.add_get(f"{guard.place}focus.js", focus)
    application.router.add_get(f"{guard.place}ws", tabs.answer)
    application.router.add_static(f"{guard.place}static", _STATIC)
    return application


def _in_one_line(record: logging.LogRecord) -> bool:
    """Leave malformed requests out of the log, since anyone who reaches the port can send them, and the tracebacks of other errors."""
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        record.msg, record.args = "%s: %s", (record.getMessage(), clean(repr(error), 200))
        record.exc_info = None
    return not isinstance(error, HttpProcessingError)


def _signalled() -> asyncio.Future[int]:
    """Return a future that resolves to the number of the first signal that asks to end."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def end(number: int) -> None:
        if not ended.done():
            ended.set_result(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            loop.add_signal_handler(number, end, number)
    return ended


def _advice(port: int) -> str:
    end = "      Ctrl-C ends the page, never the runs"
    if "SSH_CONNECTION" not in os.environ:
        return end
    return f"      from your own machine first: ssh -N -L {port}:127.0.0.1:{port} {socket.gethostname()}\n{end}"


def _warning(host: str) -> str:
    return (
        f"lrtui: warning: anyone who can reach {clean(host)} and learns the address below can steer your runs, and nothing is encrypted\n"
        "  safer: leave out --host, and forward the port with ssh: ssh -N -L PORT:127.0.0.1:PORT HOST"
    )
