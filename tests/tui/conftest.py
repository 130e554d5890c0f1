"""A monitor without files: the reader is replaced by one that tells what a test gives it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType

import pytest

from lrtui.frontend.snapshot import Snapshot
from lrtui.sweep.events import Answer, AnyCommand
from lrtui.tui import app as app_module
from lrtui.tui.app import Monitor
from lrtui.tui.panels.chart_panel import ChartPanel
from lrtui.tui.snapshot_thread import PagesRead, SnapshotTaken
from lrtui.tui.verdict_view import judge
from lrtui.tui.view_model import Pages
from tests.tui import recordings
from tests.until import PATIENCE_SECONDS


class ToldReader:
    """Stands in for the thread: tells one snapshot, and pages for whatever is under the cursor."""

    snapshot: Snapshot | None = None
    output: tuple[str, ...] = tuple(f"epoch {i}: train_loss {3 / (i + 1):.4f}" for i in range(60))

    def __init__(self, directory: Path, post) -> None:
        self.post = post

    def start(self) -> None:
        if type(self).snapshot is not None:
            snapshot = type(self).snapshot
            self.post(SnapshotTaken(snapshot, judge(snapshot.sweep)))

    def show(self, run: str, leader: str) -> None:
        if getattr(self, "shown", None) != (run, leader) and run:
            self.shown = (run, leader)
            settings = {
                who: MappingProxyType({"lr": who, "optimizer": "adam", "batch_size": "128"})
                for who in (run, leader)
            }
            self.post(
                PagesRead(Pages(run, type(self).output, settings[run], leader, settings[leader]))
            )

    def look_now(self) -> None:
        pass

    def catch_up(self) -> None:
        pass

    def end(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _same_clock() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    yield
    os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
    time.tzset()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> type[ToldReader]:
    reader = type("Told", (ToldReader,), {"snapshot": recordings.snapshot()})
    monkeypatch.setattr(app_module, "Reader", reader)
    return reader


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[AnyCommand]:
    commands: list[AnyCommand] = []

    def send(directory: Path, command: AnyCommand, timeout: float = 5.0) -> Answer:
        commands.append(command)
        return Answer(ok=True, answer="done so")

    monkeypatch.setattr("lrtui.sweep.mailbox.send", send)
    monkeypatch.setattr("lrtui.sweep.mailbox.ensure_supervisor", lambda directory: None)
    return commands


@pytest.fixture
def monitor(told: type[ToldReader], sent: list[AnyCommand]) -> Monitor:
    return Monitor(Path("runs/cifar100"))


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for a condition while the monitor goes on."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "did not come true"
        await asyncio.sleep(0.02)


def _is_shown(chart: ChartPanel) -> bool:
    return bool(chart.size) and all(node.display for node in chart.ancestors_with_self)


async def settled(pilot) -> None:
    """Wait until every chart is drawn and no thread is at work."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        await pilot.pause(0.02)
        app = pilot.app
        charts = app.screen_stack[0].query(ChartPanel)
        drawing = any(c._busy or (_is_shown(c) and not c._strips) for c in charts)
        if not drawing and not any(w.is_running for w in app.workers) and app.model.snapshot:
            await pilot.pause(0.02)
            return
    raise AssertionError("the monitor did not come to rest")


def text_of(app: Monitor) -> str:
    """What stands on the screen, as text."""
    width, height = app.size
    return (
        "\n".join(
            "".join(segment.text for strip in line for segment in strip)
            for line in app.screen._compositor.render_strips(app.size)
            for line in [[line]]
        )
        if width and height
        else ""
    )
