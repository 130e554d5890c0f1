"""Access control: `Guard` checks every request first, static files and the WebSocket included.

Any program on this machine can reach a loopback port, and so can any page in the user's browser, also under a name that its owner
points at 127.0.0.1 (DNS rebinding). So the guard checks a token, a list of host names, and the origin of a WebSocket.

A cookie is sent to every port of its host. This one is sent only below an unguessable path, so another user's server on another port never sees it.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable

from aiohttp import web

COOKIE = "lrtui"
_REFUSED = "403: open the address that `lrtui serve` printed\n"
"""The same for every refusal: it reveals neither what is served nor what was wrong."""
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
    """The secrets of one server, and the host names it accepts."""

    def __init__(self, host: str, port: int) -> None:
        self._token = secrets.token_urlsafe(32)
        self.place = f"/{secrets.token_urlsafe(16)}/"
        """The path prefix of everything served; not secret, but unguessable."""
        hosts = {"127.0.0.1", "localhost", "[::1]", bracketed(host).lower()}
        self._hosts = {f"{each}:{port}" for each in hosts} | (hosts if port == 80 else set())
        self.address = f"http://{bracketed(host)}:{port}/?token={self._token}"
        """What the user opens: the only address that contains the token."""

    @property
    def middleware(self) -> Callable[..., Awaitable[web.StreamResponse]]:
        """The aiohttp middleware that runs before every handler, also before a 404."""

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
        """Return whether the request's Host is one of the accepted names."""
        named = request.headers.getall("Host", [])
        return len(named) == 1 and named[0].lower() in self._hosts

    def _holds(self, tokens: list[str]) -> bool:
        """Compare in constant time."""
        token = tokens[0] if len(tokens) == 1 else ""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self._token.encode())

    def _is_ours(self, request: web.Request) -> bool:
        """Return whether the request comes from the served page: browsers send the page's origin, for a WebSocket always."""
        origins = request.headers.getall("Origin", [])
        opens_socket = "Upgrade" in request.headers or request.path == f"{self.place}ws"
        if not origins:
            return not opens_socket
        return origins == [f"http://{request.headers['Host']}"]

    def _welcome(self) -> web.Response:
        """Move the token from the address, which browsers keep and show, into an HttpOnly cookie."""
        answer = web.Response(status=303, headers={"Location": self.place})
        answer.set_cookie(COOKIE, self._token, path=self.place, httponly=True, samesite="Strict")
        return answer


def refusal() -> web.Response:
    """Return the response to a refused request."""
    return web.Response(status=403, text=_REFUSED)


async def close_up(_request: web.Request, answer: web.StreamResponse) -> None:
    """Add the headers that restrict a response to the served page."""
    answer.headers.update(_HEADERS)


def bracketed(host: str) -> str:
    """Return a host in URL form."""
    return f"[{host}]" if ":" in host else host


def is_loopback(address: str) -> bool:
    """Return whether an address can be reached only from this machine."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
