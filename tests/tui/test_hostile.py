"""Names and lines from workers are shown as text: no control bytes, no markup, no crash."""

from pathlib import Path
from types import MappingProxyType

import pytest
from msgspec import structs
from textual.geometry import Size

from lrtui.frontend.snapshot import Snapshot
from lrtui.metrics import Measurement
from lrtui.sweep import events as ev
from lrtui.tui.view_model import Pages
from tests.hostile.texts import TEXTS
from tests.tui import recordings
from tests.tui.conftest import settled

SIZES = ((160, 45), (80, 24), (58, 14))
DEALT = [(size, TEXTS[place::3]) for place, size in enumerate(SIZES)]
"""Each text at one size, several of them to an app: Textual needs longer to start than to show one."""
PANES = ("l", "enter", "S", "r", "t", "J", "v", "c", "c", "escape")
PROMPTS = (("K", "n"), ("e", "escape"), ("question_mark", "escape"))


@pytest.mark.campaign
@pytest.mark.parametrize(("size", "texts"), DEALT)
async def test_hostile_text_stays_text(monitor, told, size, texts, campaign) -> None:
    texts = texts if campaign else texts[:: len(texts) // 2 + 1]
    told.snapshot = snapshot_of(texts[0])
    told.output = texts
    async with monitor.run_test(size=size) as pilot:
        await settled(pilot)
        for text in texts:
            shown = snapshot_of(text)
            for keys in [*zip(PANES), *PROMPTS]:
                monitor.model = structs.replace(monitor.model, snapshot=shown, pages=pages_of(text))
                await pilot.press(*keys[:1])
                _check(monitor)
                await pilot.press(*keys[1:])
            monitor.say(text, bad=True)
            await pilot.pause()
            _check(monitor)
        await pilot.press("q", "c")
        assert monitor.is_running


def snapshot_of(text: str) -> Snapshot:
    """Return a sweep in which a text stands wherever one can."""
    odd = (("adam", (3.0, 30.0)),)
    events = recordings.journal(name=text, metric="val_acc", source=text, loss=text, rungs=odd)
    test = ev.Setting(lr=1e-7, optimizer=text, schedule=text)
    end = [
        ev.RunEnded(run="r04", attempt=1, kind="failed", why=text, code=1),
        ev.Warned(text=text, run="r02"),
        ev.RunFlagged(run="r03", attempt=1, rule="stalled", why=text),
        ev.RunQueued(run="t01", setting=test, seed=1, until=30.0, lr_to=10.0, lr_steps=9),
        ev.RangeTested(run="t01", why=text),
        ev.RunQueued(run=text, setting=test, seed=1, until=30.0),
        ev.RunEnded(run=text, attempt=0, kind="killed", why=text),
        ev.RungClosed(
            group=ev.GroupKey("adam"), level=3.0, kept=("r04", text), pruned=("no such",), why=text
        ),
        ev.RunReached(run="r03", attempt=1, level=30.0, value=0.5),
        ev.RunEnded(run="r03", attempt=1, kind="finished", why=text),
        ev.VerdictReached(lr=1e-3, why=(text,)),
    ]
    made = recordings.snapshot([*events, *end], directory=Path(text[:200]), problem=text)
    values = {"val_acc": 0.5, "odd." + "n" * 50: 1.0, text: 1.0}
    made.series["r02"].extend(1, [Measurement(20.0, None, None, None, None, values)])
    return made


def pages_of(text: str) -> Pages:
    settings = MappingProxyType({text: text, "lr": text})
    return Pages("r03", (text,) * 30, settings, "r04", MappingProxyType({"lr": "1"}), (text,) * 30)


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
