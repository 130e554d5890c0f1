"""What a stranger may lay into inbox/: nothing of it is obeyed, nothing outside the directory is read, written or removed."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from lrtui.sweep import events as ev
from lrtui.sweep.events import Answer
from lrtui.sweep.inbox import Inbox
from lrtui.sweep.layout import Layout

ORDER = ev.encode(ev.ReopenSweep(v=1))
"""What would be obeyed if it lay there as a file of ours."""
NAME = "00000000000000000001-aaaaaaaa.json"


def _socket(at: Path, _: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made, contextlib.chdir(at.parent):
        made.bind(at.name)  # the whole path may be too long for a socket


def _of_another(at: Path, _: Path) -> None:
    at.write_bytes(ORDER)
    try:
        os.chown(at, 65534, 65534)
    except PermissionError:
        pytest.skip("needs to be root, to give a file away")


def _device(at: Path, _: Path) -> None:
    try:
        os.mknod(at, 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("needs to be root, to make a device")


def _sparse(at: Path, _: Path) -> None:
    with at.open("wb") as file:
        file.truncate(1 << 40)


THINGS: dict[str, Callable[[Path, Path], object]] = {
    "a link to an order outside": lambda at, outside: at.symlink_to(outside),
    "a link to nothing": lambda at, _: at.symlink_to("/nonexistent"),
    "a link to itself": lambda at, _: at.symlink_to(at.name),
    "a link to a device": lambda at, _: at.symlink_to("/dev/zero"),
    "a link to a folder": lambda at, outside: at.symlink_to(outside.parent),
    "a fifo": lambda at, _: os.mkfifo(at),
    "a socket": _socket,
    "a device": _device,
    "a file of another user": _of_another,
    "a file of 65 KiB": lambda at, _: at.write_bytes(ORDER + b" " * (65 << 10)),
    "a file of a terabyte": _sparse,
    "an empty file": lambda at, _: at.touch(),
    "nested too deep": lambda at, _: at.write_bytes(b"[" * 60_000),
    "no object": lambda at, _: at.write_bytes(b'"ReopenSweep"'),
    "an unknown order": lambda at, _: at.write_bytes(b'{"command":"Shell","v":1,"argv":["id"]}'),
    "an order of another format": lambda at, _: at.write_bytes(b'{"command":"ReopenSweep","v":99}'),
    "UTF-16": lambda at, _: at.write_bytes(ORDER.decode().encode("utf-16")),
}
FOLDERS: dict[str, Callable[[Path, Path], object]] = {
    "a folder": lambda at, _: at.mkdir(),
    "a folder with something in it": lambda at, _: (at / "x").mkdir(parents=True),
}
NAMES = (
    "..json", "...json", "-rf.json", "a b.json", "é.json", "a\n.json", "\x1b[2J.json", "a.json.json", "a" * 65 + ".json",
    "a.JSON", "a.json~", "a.jsonl", "$(id).json", "%2e%2e%2fx.json", "..\\..\\x.json", "a:b.json", os.fsdecode(b"\xff.json"),
)  # fmt: skip


@pytest.fixture
def place(tmp_path):
    """An inbox, and a file outside that holds an order."""
    outside = tmp_path / "elsewhere" / "order.json"
    outside.parent.mkdir()
    outside.write_bytes(ORDER)
    (tmp_path / "run").mkdir()
    layout = Layout(tmp_path / "run")
    return Inbox(layout), layout, outside


@pytest.mark.parametrize("thing", THINGS)
def test_what_is_no_small_file_of_ours_with_an_order_in_it_is_answered_and_removed(place, thing):
    inbox, layout, outside = place
    THINGS[thing](layout.inbox / NAME, outside)
    (letter,) = inbox.messages()
    assert letter.command is None
    assert letter.fault
    inbox.answer(letter.id, Answer(ok=False, answer=letter.fault))
    assert os.listdir(layout.inbox) == []
    assert os.listdir(layout.done) == [NAME]
    assert outside.read_bytes() == ORDER


@pytest.mark.parametrize("thing", FOLDERS)
def test_a_folder_is_left_alone(place, thing):
    inbox, layout, outside = place
    FOLDERS[thing](layout.inbox / NAME, outside)
    assert not any(inbox.messages())
    assert os.listdir(layout.inbox) == [NAME]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_file_whose_name_is_no_id_is_taken_away_unread(place, name):
    inbox, layout, outside = place
    (layout.inbox / name).write_bytes(ORDER)
    assert not any(inbox.messages())
    assert os.listdir(layout.inbox) == ([name] if name.startswith(".") else [])
    assert os.listdir(layout.done) == []
    assert outside.exists()


@pytest.mark.parametrize("where", ["inbox", "done"])
def test_a_link_in_the_place_of_a_folder_leads_nowhere(tmp_path, where):
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / NAME).write_bytes(ORDER)
    (tmp_path / "run").mkdir()
    layout = Layout(tmp_path / "run")
    (layout.root / where).symlink_to(outside)
    os.utime(outside / NAME, (0, 0))
    inbox = Inbox(layout)
    assert not any(inbox.messages())
    inbox.answer("00000000000000000002-aaaaaaaa", Answer(ok=True, answer="x"))
    assert os.listdir(outside) == [NAME]
