"""`lrtui serve`: the same monitor in a browser. Each tab is a monitor process of its own; the runs are independent of it.

    browser ── guard (host, token, origin) ── page, static files, WebSocket ── tab ── `lrtui DIR` on pipes

Used only by the command line. textual-serve, an extra, provides the protocol between a tab and its process, and the terminal in
the page (`tabs`). Access control is lrtui's own (`http_server`, `guard`): textual-serve itself admits anyone.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import socket
from pathlib import Path

from lrtui.errors import MachineError, UserError
from lrtui.text.install import install


def require() -> None:
    """Check that what `serve` needs is installed.

    Raises:
        MachineError: it is not.

    """
    if not all(importlib.util.find_spec(name) for name in ("aiohttp", "textual_serve")):
        raise MachineError(
            "the monitor in a browser needs textual-serve, which is not installed",
            "serve",
            install("web"),
        )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens at the address; port 0 chooses a free one.

    Raises:
        UserError: a browser could not open that address.
        MachineError: the port is taken, or the address is not this machine's.

    """
    if not 0 <= port < 1 << 16:
        raise UserError(f"a port is a number from 0 to 65535 (found {port})", "--port")
    try:
        family, *_, address = socket.getaddrinfo(host or "::", port, type=socket.SOCK_STREAM)[0]
        if ipaddress.ip_address(address[0]).is_unspecified:
            raise UserError(
                "means every address of this machine; a forged Host can be refused only if one is named",
                f"--host {host}",
                "name the address, or the host name, that the browser will use",
            )
        return socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:
        raise MachineError(
            f"cannot listen there: {getattr(error, 'strerror', None) or error}",
            f"{host}:{port}",
            "leave out --port for a free one, and --host for 127.0.0.1",
        ) from error


def run(directory: Path, listening: socket.socket, host: str, *, view_only: bool = False) -> int:
    """Serve the monitor of a directory until a signal; return 128 and its number. The runs continue."""
    from lrtui.cli.web.http_server import serve  # aiohttp costs 200 ms

    return serve(directory, listening, host, view_only=view_only)
