"""A tab is a monitor of its own: it shows what the terminal shows, and when it goes nothing else does."""

import json
import os
import signal
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from lrtui.cli.web import tabs
from tests.recorded import make
from tests.web.served import eventually, lives, opened, served

LEADERBOARD = ("state", "val_acc", "finished", "sweep")


@pytest.fixture
def server(tmp_path):
    directory = make(tmp_path / "sweep", ["finished", "finished", "killed"], closed=0)
    with served(directory, cwd=tmp_path) as found:
        yield found


async def test_the_first_paint_shows_the_leaderboard_and_charts(server) -> None:
    async with opened(server) as page:
        await page.shows(*LEADERBOARD, "val_loss", "killed by you")
        await page.until(lambda: any("\u2800" < char < "\u2900" for char in page.text))


async def test_keys_and_sizes_reach_the_monitor(server) -> None:
    async with opened(server) as page:
        await page.shows(*LEADERBOARD)
        await page.press("?")
        await page.shows("Redraw the screen")
        await page.press("\x1b")
        await page.socket.send_str('["resize", {"width": 80, "height": 24}]')
        page.screen.resize(24, 80)
        page.screen.reset()
        await page.shows("8 Jour")  # short, as in 80 columns
        await page.until(lambda: "? help" in page.screen.display[-1])


async def test_the_mouse_selects_until_it_is_given_back(server) -> None:
    async with opened(server) as page:
        await page.shows(*LEADERBOARD)
        row = next(n for n, line in enumerate(page.text.splitlines(), 1) if "killed by you" in line)
        run = page.text.splitlines()[row - 1].split()[0:3]
        await page.press(f"\x1b[<0;20;{row}M\x1b[<0;20;{row}m")
        letter = next(word for word in run if word.isalpha())
        await page.until(lambda: f" {letter} " in page.text.partition("output")[0].splitlines()[-1])
        assert bytes(page.raw).rindex(b"\x1b[?1003l") > bytes(page.raw).rindex(b"\x1b[?1003h")
        await page.press("M")
        await page.shows("mouse off")
        assert b"\x1b[?1000l" in page.raw


async def test_what_is_no_message_of_the_page_does_nothing(server) -> None:
    async with opened(server) as page:
        await page.shows(*LEADERBOARD)
        hostile = [
            *("", "[", "{}", "[]", "null", "[" * 50_000, '"stdin"', '["stdin"]', '["stdin", 5]'),
            *('["resize", {"width": 1e9, "height": -4}]', '["resize", {"width": "9"}]', '["quit"]'),
            *(
                '["stdin", "\\ud800"]',
                '["stdin", ""]',
                '["M", {"type": "quit"}]',
                '["deliver_chunk_request", "x"]',
            ),
            *('["exit"]', '["resize", {"width": 1000000000, "height": 1000000000}]', "\0"),
        ]
        for message in hostile:
            await page.socket.send_str(message)
        await page.socket.send_bytes(b"\xff\x00D\x00\x00\xff\xff")
        await page.socket.send_str(json.dumps(["ping", "still here"]))
        await page.until(lambda: page.pongs == ["still here"])
        await page.socket.send_str('["resize", {"width": 160, "height": 45}]')
        await page.press("?")
        await page.shows("Redraw the screen")
        assert len(server.tabs()) == 1


async def test_leaving_a_page_ends_its_monitor_and_no_other(server) -> None:
    async with opened(server) as stays:
        await stays.shows(*LEADERBOARD)
        first = server.tabs()
        async with opened(server) as leaves:
            await leaves.shows(*LEADERBOARD)
            assert len(server.tabs()) == 2
        await eventually(lambda: server.tabs() == first)
        await stays.press("?")
        await stays.shows("Redraw the screen")


async def test_a_monitor_that_is_left_or_dies_closes_its_page(server) -> None:
    async with opened(server) as page:
        await page.shows(*LEADERBOARD)
        await page.press("q")
        await page.ended()
    async with opened(server) as page:
        await page.shows(*LEADERBOARD)
        os.kill(server.tabs()[0], signal.SIGKILL)
        await page.ended()
    await eventually(lambda: server.tabs() == [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_with_the_server_all_its_monitors_end_however_it_ends(server, number) -> None:
    async with opened(server) as one, opened(server) as other:
        await one.shows(*LEADERBOARD)
        await other.shows(*LEADERBOARD)
        monitors = server.tabs()
        assert len(monitors) == 2
        server.child.send_signal(number)
        await eventually(lambda: server.child.poll() is not None)
        await eventually(lambda: not any(lives(pid) for pid in monitors))
        await one.ended()
    if number != signal.SIGKILL:
        assert server.child.returncode == 128 + number
        assert "Traceback" not in server.said.read_text()


async def test_a_monitor_that_does_not_answer_is_killed(server) -> None:
    async with opened(server) as page:
        await page.shows(*LEADERBOARD)
        (pid,) = server.tabs()
        os.kill(pid, signal.SIGSTOP)
    await eventually(lambda: not lives(pid))


async def test_the_runs_go_on_without_page_and_server(lab) -> None:
    lab.start(lrs="1e-3, 1e-2", steps=100_000)
    lab.running("r01")
    lab.running("r02")
    with served(lab.directory, cwd=lab.folder) as server:
        async with opened(server) as page:
            await page.shows("1e-03", "1e-02", "running")
        await eventually(lambda: server.tabs() == [])
        before = lab.told("r01")
        await eventually(lambda: lab.told("r01") > before + 3)
        assert server.end() == 130
        assert "detached; 2 running" in server.said.read_text()
    before = lab.told("r02")
    await eventually(lambda: lab.told("r02") > before + 3)
    assert len(lab.run("r01").attempts) == 1


async def test_a_key_of_the_browser_kills_a_run(lab) -> None:
    lab.start(lrs="1e-3", steps=100_000)
    lab.running("r01")
    with served(lab.directory, cwd=lab.folder) as server:
        async with opened(server) as page:
            await page.shows("1e-03", "running")
            await page.press("K")
            await page.shows("Kill", "Its checkpoint and curve are kept")
            await page.press("y")
            await eventually(lambda: lab.run("r01").ending is not None)
    assert lab.run("r01").ending.kind == "killed"


async def test_only_looking_is_only_looking(tmp_path) -> None:
    directory = make(tmp_path / "sweep", ["queued", "finished"])
    with served(directory, "--view", cwd=tmp_path) as server:
        async with opened(server) as page:
            await page.shows("finished", "view only")
    assert not (directory / "supervisor.log").exists()


def told(pid: int, file: str) -> list[bytes]:
    return Path(f"/proc/{pid}/{file}").read_bytes().split(b"\0")


@pytest.mark.parametrize(
    "name",
    [
        "a; touch pwned $(touch pwned2) `touch pwned3` $HOME 'x\"\nä *",
        "--help",
    ],
)
async def test_no_shell_reads_the_directorys_name(tmp_path, name) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    directory = make(folder / name, ["finished", "finished"], closed=0)
    with served(directory, cwd=folder) as server:
        async with opened(server) as page:
            await page.shows("state", "val_acc", "finished")
            (pid,) = server.tabs()
            assert os.fsencode(directory.resolve()) in told(pid, "cmdline")
            assert server.token.encode() not in b"".join(told(pid, "environ"))
    assert {path.name for path in folder.iterdir()} <= {name, "said.txt"}


async def test_files_of_the_present_folder_are_not_imported(tmp_path) -> None:
    directory = make(tmp_path / "sweep", ["finished"], closed=0)
    for module in ("msgspec", "textual", "plotext"):
        (tmp_path / f"{module}.py").write_text("open('imported', 'w')")
    with served(directory, cwd=tmp_path) as server:
        async with opened(server) as page:
            await page.shows("state", "finished")
    assert not (tmp_path / "imported").exists()


async def test_no_more_tabs_than_fit(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tabs, "MOST_TABS", 0)
    with pytest.raises(web.HTTPServiceUnavailable):
        await tabs.Tabs(tmp_path, view_only=True).answer(make_mocked_request("GET", "/"))
