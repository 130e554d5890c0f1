"""Names and lines from workers are shown as text: no control bytes, no markup, no crash."""

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from textual.geometry import Size

from lrtui import events as ev
from lrtui.metrics import Measurement
from lrtui.tui.scene import Pages
from tests.tui import recordings
from tests.tui.conftest import settled

HOSTILE = (
    "[/]",
    "[/foo][bold]",
    "[@click=app.quit]x[/]",
    "\x1b[2J\x1b]52;c;aGk=\x07",
    "\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\",
    "\x9b31m\x00\x7f\u202egnp\u200b",
    "日本語" * 20,
    "e\u0301" * 30,
    "a\nb\rc\td",
    "\ud800",
)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("size", [(160, 45), (80, 24), (58, 14)])
async def test_hostile_text_stays_text(monitor, told, text, size) -> None:
    odd = (("adam", (3.0, 30.0)),)
    events = recordings.journal(name=text, metric="val_acc", source=text, loss=text, rungs=odd)
    test = ev.Setting(lr=1e-7, optimizer=text, schedule=text)
    end = [
        ev.RunEnded(run="r04", attempt=1, kind="failed", why=text, code=1),
        ev.Warned(text=text, run="r02"),
        ev.RunFlagged(run="r03", attempt=1, rule=text, why=text),
        ev.RunQueued(run="t01", setting=test, seed=1, until=30.0, lr_to=10.0, lr_steps=9),
        ev.RangeTested(run="t01", why=text),
        ev.RunQueued(run=text, setting=test, seed=1, until=30.0),
        ev.RunEnded(run=text, attempt=0, kind="killed", why=text),
        ev.RungClosed(group="adam", level=3.0, kept=("r04", text), pruned=("no such",), why=text),
        ev.RunReached(run="r03", attempt=1, level=30.0, value=0.5),
        ev.RunEnded(run="r03", attempt=1, kind="finished", why=text),
        ev.VerdictReached(lr=1e-3, why=(text,)),
    ]
    made = recordings.snapshot([*events, *end], directory=Path(text), problem=text)
    made.series["r02"].extend(
        1, [Measurement(20.0, None, None, None, None, {"val_acc": 0.5, "odd." + "n" * 50: 1.0})]
    )
    told.snapshot = made
    told.output = (text,) * 20
    async with monitor.run_test(size=size) as pilot:
        await settled(pilot)
        settings = MappingProxyType({text: text, "lr": text})
        pages = Pages("r03", (text,) * 30, settings, "r04", MappingProxyType({"lr": "1"}))
        for keys in (
            ["j"],
            ["l"],
            ["enter"],
            ["m"],
            ["S"],
            ["r"],
            ["t"],
            ["escape"],
            ["K", "n"],
            ["e", "escape"],
            ["q", "c"],
        ):
            await pilot.press(*keys)
            monitor.scene = replace(monitor.scene, pages=pages)
            await pilot.pause()
            _check(monitor)
        monitor.say(text, bad=True)
        await pilot.pause()
        _check(monitor)
        assert monitor.is_running


def _check(app) -> None:
    for widget in app.screen.query("*"):
        for strip in widget.render_lines(widget.size.region) if widget.size != Size(0, 0) else ():
            for segment in strip:
                assert not segment.control
                bad = [
                    c
                    for c in segment.text
                    if ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u200b"
                ]
                assert not bad, (widget, segment.text)
                assert "@click" not in str(segment.style.meta) if segment.style else True
