"""Who gets in: everything that reaches the server passes `Guard` first, static files and the WebSocket included.

Any program of this machine reaches a loopback port, and so does any page that the user's browser shows, also under a name
that its owner points at 127.0.0.1 (DNS rebinding). So there is a token, a list of names, and for the WebSocket an origin.

A cookie is sent to every port of its host. Ours is sent below a path only that nobody can guess, so a server that another
user of this machine runs on another port never sees it.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable

from aiohttp import web

COOKIE = "lrtui"
_REFUSED = "403: open the address that `lrtui serve` printed\n"
"""The same for every reason: it says nothing about what is served, nor what was wrong."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "lrtui",
}


class Guard:
    """The secrets of one start, and the names under which it may be asked."""

    def __init__(self, host: str, port: int) -> None:
        self._token = secrets.token_urlsafe(32)
        self.place = f"/{secrets.token_urlsafe(16)}/"
        """The path below which everything lies; no secret, but not to be guessed."""
        hosts = {"127.0.0.1", "localhost", "[::1]", bracketed(host).lower()}
        self._hosts = {f"{each}:{port}" for each in hosts} | (hosts if port == 80 else set())
        self.address = f"http://{bracketed(host)}:{port}/?token={self._token}"
        """What the user opens: the only place where the token stands."""

    @property
    def middleware(self) -> Callable[..., Awaitable[web.StreamResponse]]:
        """What aiohttp asks before any of its handlers, also before it says that there is none."""

        @web.middleware
        async def admit(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            if not self._is_named(request):
                return refusal()
            if request.path == "/" and self._holds(request.query.getall("token", [])):
                return self._welcome()
            if not self._holds([request.cookies.get(COOKIE, "")]) or not self._is_ours(request):
                return refusal()
            return await handler(request)

        return admit

    def _is_named(self, request: web.Request) -> bool:
        """Tell whether it was sent to one of our names, whatever those of others lead to."""
        named = request.headers.getall("Host", [])
        return len(named) == 1 and named[0].lower() in self._hosts

    def _holds(self, tokens: list[str]) -> bool:
        """Compare in a time that says nothing about how much was right."""
        token = tokens[0] if len(tokens) == 1 else ""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self._token.encode())

    def _is_ours(self, request: web.Request) -> bool:
        """Tell whether our own page asks: browsers name the page's origin, and for a WebSocket always."""
        origins = request.headers.getall("Origin", [])
        opens_socket = "Upgrade" in request.headers or request.path == f"{self.place}ws"
        if not origins:
            return not opens_socket
        return origins == [f"http://{request.headers['Host']}"]

    def _welcome(self) -> web.Response:
        """Move the token from the address, which browsers keep and show, into a cookie that no script reads."""
        answer = web.Response(status=303, headers={"Location": self.place})
        answer.set_cookie(COOKIE, self._token, path=self.place, httponly=True, samesite="Strict")
        return answer


def refusal() -> web.Response:
    """Return the answer to whoever is not let in."""
    return web.Response(status=403, text=_REFUSED)


async def close_up(_request: web.Request, answer: web.StreamResponse) -> None:
    """Put the headers onto an answer that keep it to our own page."""
    answer.headers.update(_HEADERS)


def bracketed(host: str) -> str:
    """Return a host as it stands in an address."""
    return f"[{host}]" if ":" in host else host


def is_loopback(address: str) -> bool:
    """Tell whether only this machine reaches an address."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
