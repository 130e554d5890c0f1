"""A journal's times may be any number: no reader stumbles over one."""

import io

import msgspec
import pytest

from lrtui.cli.main import main
from lrtui.frontend import log_mode
from lrtui.sweep import events as ev
from lrtui.sweep.layout import Layout
from lrtui.text.format import clock_time
from tests.tui import recordings


@pytest.mark.parametrize("at", [-1e300, 1e300, 1e18, -1e18, float("nan"), float("inf")])
def test_a_time_that_no_clock_shows_is_a_question_mark(at) -> None:
    assert clock_time(at) == "?"


def test_a_usual_time_is_shown() -> None:
    assert clock_time(0.0, "%Y") in ("1969", "1970")


@pytest.mark.parametrize("at", [-1e300, 1e300])
def test_every_reader_survives_wild_times(tmp_path, capsys, at) -> None:
    layout = Layout(tmp_path)
    layout.experiment.write_text("")
    events = recordings.journal()
    wild = [ev.Warned(text="wild", n=len(events) + 1, at=at)]
    wild += [ev.SweepClosed(code=0, why="all ended", n=len(events) + 2, at=at)]
    lines = [ev.encode(msgspec.structs.replace(event, v=ev.VERSION)) for event in (*events, *wild)]
    layout.journal.write_bytes(b"".join(line.rstrip(b"\n") + b"\n" for line in lines))
    out = io.StringIO()
    log_mode.run(tmp_path, out=out, start=False)
    assert "? " in out.getvalue()
    assert "wild" in out.getvalue()
    for verb in ("status", "explain", "report"):
        assert main([verb, str(tmp_path)]) == 0, capsys.readouterr().err
