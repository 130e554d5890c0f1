"""Nobody gets in without the token, under another name, or from another page; nothing is said to whoever tries."""

import re
import signal
import socket
from http.cookies import SimpleCookie

import aiohttp
import pytest

from lrtui.cli.main import main
from lrtui.cli.web.guard import Guard, is_loopback
from tests.recorded import make
from tests.until import PATIENCE_SECONDS
from tests.web.served import served


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secret-place")
    directory = make(folder / "secret-sweep", ["finished", "finished"], closed=0)
    with served(directory, cwd=folder) as found:
        yield found


WRONG = (
    "/",
    "/?token=",
    "/?token=guess",
    "/?token={token}x",
    "/?token={token}&token={token}",
    "/?token=%ff%fe%00",
    "/?token=%ED%A0%80",
    "/?TOKEN={token}",
    "/?{token}",
    "//?token={token}",
    "/../?token={token}",
    "/index.html?token={token}",
    "/ws?token={token}",
    "/ws",
    "/download/x?token={token}",
    "/static/js/textual.js?token={token}",
    "{place}?token={token}",
    "{place}",
    "{place}ws?token={token}",
    "{place}static/js/textual.js",
    "{place}static/../../server.py",
    "{place}download/x",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/" + "a" * 4000,
)


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path[:40])
def test_without_the_token_at_the_right_place_nothing_is_told(server, path) -> None:
    place, _ = server.admitted()
    status, headers, body = server.ask(path.format(token=server.token, place=place))
    assert status == 403
    assert body == b"403: open the address that `lrtui serve` printed\n"
    assert "secret" not in str(headers)
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize(
    "cookie",
    ["lrtui=", "lrtui=guess", "lrtui={token}x", "other={token}", "lrtui={token}\xff", ";;="],
)
def test_a_wrong_cookie_opens_nothing(server, cookie) -> None:
    place, _ = server.admitted()
    for path in (place, f"{place}ws", f"{place}static/js/textual.js"):
        assert server.ask(path, {"Cookie": cookie.format(token=server.token)})[0] == 403


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:{port}",
        "evil.example",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1:{port}.evil.example",
        "127.0.0.1.evil.example:{port}",
        "evil.example@127.0.0.1:{port}",
        "127.0.0.2:{port}",
        "0.0.0.0:{port}",
        "2130706433:{port}",
        "[::2]:{port}",
        "127.0.0.1:{port},evil.example",
        "",
    ],
)
def test_a_forged_name_opens_nothing_even_with_the_token(server, host) -> None:
    place, cookie = server.admitted()
    named = {"Host": host.format(port=server.port)}
    for path in (f"/?token={server.token}", place, f"{place}static/js/textual.js"):
        status, headers, _ = server.ask(path, {"Cookie": cookie} | named)
        assert status in (400, 403)
        assert "Set-Cookie" not in headers


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_names_of_this_machine_open(server, name) -> None:
    place, cookie = server.admitted()
    assert server.ask(place, {"Cookie": cookie, "Host": f"{name}:{server.port}"})[0] == 200


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "",
        "http://evil.example",
        "http://evil.example:{port}",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "https://127.0.0.1:{port}",
        "http://localhost:{port}",
        "http://127.0.0.1:{port}.evil.example",
        "http://127.0.0.1:{port}/",
        "file://",
    ],
)
async def test_a_page_of_another_origin_gets_no_socket(server, origin) -> None:
    place, cookie = server.admitted()
    headers = {"Cookie": cookie}
    if origin is not None:
        headers["Origin"] = origin.format(port=server.port)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"ws://{server.host}{place}ws", headers=headers)
    assert refused.value.status == 403
    assert server.tabs() == []


async def test_a_socket_needs_the_cookie_also_from_the_right_origin(server) -> None:
    place, _ = server.admitted()
    where = f"ws://{server.host}{place}ws?token={server.token}"
    async with aiohttp.ClientSession() as session:
        for cookie in ({}, {"Cookie": "lrtui=guess"}):
            headers = {"Origin": f"http://{server.host}"} | cookie
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(where, headers=headers)
            assert refused.value.status == 403
    assert server.tabs() == []


def test_the_token_goes_from_the_address_into_a_cookie_of_a_path_nobody_guesses(server) -> None:
    status, headers, _ = server.ask(f"/?token={server.token}")
    assert status == 303
    assert server.token not in headers["Location"]
    assert len(headers["Location"]) > 20
    cookie = SimpleCookie(headers["Set-Cookie"])["lrtui"]
    assert cookie.value == server.token
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == headers["Location"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"


MALFORMED = (
    "GARBAGE\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "GET http://[ HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "GET http://a:99999999/ HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "GET /\0 HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "GET /" + "a" * 20_000 + " HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: {host}\r\nCookie: a=\1\r\n\r\n",
    "GET {place}ws HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nCookie: {cookie}\r\n\r\n",
    "GET {place}ws HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nCookie: {cookie}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: !\r\nSec-WebSocket-Version: 13\r\n\r\n",
)


@pytest.mark.parametrize("request_", MALFORMED, ids=lambda text: text[:40])
def test_a_malformed_request_prints_nothing(server, request_) -> None:
    place, cookie = server.admitted()
    printed = server.said.read_text()
    text = request_.format(host=server.host, place=place, cookie=cookie)
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as line:
        line.sendall(text.encode())
        assert b" 400 " in line.recv(64)
    assert server.said.read_text() == printed
    assert server.tabs() == []


def test_an_error_is_one_line(server) -> None:
    place, cookie = server.admitted()
    assert server.ask(f"{place}static/{'a' * 3000}", {"Cookie": cookie})[0] == 500
    assert "Traceback" not in server.said.read_text()
    assert "File name too long" in server.said.read_text()


def test_the_page_asks_nobody_but_us(server) -> None:
    place, cookie = server.admitted()
    status, headers, body = server.ask(place, {"Cookie": cookie})
    text = body.decode()
    assert status == 200
    assert "secret-sweep" in text
    assert server.token not in text
    assert re.findall(r"(?:https?|wss?)://[^/\"]*", text) == [f"ws://{server.host}"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    for file in re.findall(r'(?:href|src)="(static/[^"]+)"|url\("([^"]+)"\)', text):
        assert server.ask(place + "".join(file), {"Cookie": cookie})[0] == 200
    for file in ("static/", "static/../server.py", "static/%2e%2e/server.py", "static//etc/passwd"):
        assert server.ask(place + file, {"Cookie": cookie})[0] in (403, 404)


def test_every_start_has_secrets_of_its_own() -> None:
    first, second = Guard("127.0.0.1", 80), Guard("127.0.0.1", 80)
    token = first.address.partition("token=")[2]
    assert len(token) >= 43  # 256 bits
    assert token not in second.address
    assert first.place != second.place


def test_the_server_ends_with_the_signals_code_and_frees_its_port(tmp_path) -> None:
    directory = make(tmp_path / "sweep", ["finished"], closed=0)
    with served(directory, cwd=tmp_path) as server:
        assert server.end(signal.SIGTERM) == 143
        assert "lrtui: " not in server.said.read_text()
        with served(directory, f"--port={server.port}", cwd=tmp_path) as again:
            assert again.port == server.port
            assert again.token != server.token
            assert again.end(signal.SIGINT) == 130


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--host=0.0.0.0"], 2, "every address"),
        (["--host=::"], 2, "every address"),
        (["--host="], 2, "every address"),
        (["--port=70000"], 2, "65535"),
        (["--host=192.0.2.1"], 5, "cannot listen"),
        (["--host=a b"], 5, "cannot listen"),
    ],
)
def test_where_it_cannot_listen_it_says_so(tmp_path, capsys, words, code, said) -> None:
    directory = make(tmp_path / "sweep", ["finished"], closed=0)
    assert main(["serve", str(directory), *words]) == code
    assert said in capsys.readouterr().err


def test_a_taken_port_is_named(tmp_path, capsys, server) -> None:
    directory = make(tmp_path / "sweep", ["finished"], closed=0)
    assert main(["serve", str(directory), f"--port={server.port}"]) == 5
    assert f"127.0.0.1:{server.port}: cannot listen there" in capsys.readouterr().err


def test_without_textual_serve_it_says_what_to_install(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "textual_serve", None)
    assert main(["serve", str(tmp_path)]) == 5
    assert "pip install 'lrtui[web]'" in capsys.readouterr().err


def test_what_others_reach_is_told_apart_from_loopback() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("127.9.9.9")
    assert is_loopback("::1")
    assert not is_loopback("192.168.1.5")
    assert not is_loopback("fe80::1%eth0")
