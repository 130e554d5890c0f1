"""The machine over time: bounded memory, the pane with and without GPUs, and a real monitor on real workers."""

import re
from types import MappingProxyType

import pytest

from lrtui.hardware.cpu import Taken, Usage
from lrtui.hardware.gpu import Gpu
from lrtui.hardware.history import MOST, Recorder
from lrtui.tui.snapshot_thread import MachineRead
from tests.tui import recordings
from tests.tui.conftest import settled, text_of


def card(index: int, load: int | None, used: int) -> Gpu:
    return Gpu(index, "H100", used, 81920, load, f"GPU-{index}", ())


def recorded(count: int, gpus: int = 0, every: float = 2.0):
    recorder = Recorder()
    for at in range(count):
        taken = MappingProxyType({"r02": Taken(98.0, 1200), "r03": Taken(None, 800)})
        usage = Usage(every * at, (7.0 * at) % 100 if at else None, 11_000, 24_000, taken)
        cards = tuple(
            card(index, 10 * index + at % 10 if index else None, 8000 + 500 * index)
            for index in range(gpus)
        )
        history = recorder.add(usage, cards)
    return history


def test_a_day_takes_no_more_memory_than_an_hour_and_still_begins_at_its_beginning():
    history = recorded(43_200)
    assert MOST / 2 <= len(history.samples) <= MOST
    times = [sample.at for sample in history.samples]
    assert times == sorted(times)
    assert times[0] < 600
    assert times[-1] > 86_000
    known = [sample.cpu for sample in history.samples]
    assert sum(known) / len(known) == pytest.approx(49.5, abs=1)


def test_the_first_reading_has_no_load_and_is_left_out():
    assert recorded(1).samples == ()
    assert [sample.cpu for sample in recorded(3).samples] == [7.0, 14.0]


@pytest.mark.parametrize("size", [(160, 45), (80, 24), (60, 16)])
@pytest.mark.parametrize("gpus", [0, 2, 8])
async def test_the_pane_shows_what_there_is(monitor, told, size, gpus) -> None:
    told.snapshot = recordings.snapshot()
    async with monitor.run_test(size=size) as pilot:
        await settled(pilot)
        await pilot.press("H")
        await pilot.pause()
        assert "measuring" in text_of(monitor)
        monitor.post_message(MachineRead(recorded(40, gpus)))
        await pilot.pause()
        await settled(pilot)
        text = text_of(monitor)
        assert "load, %" in text
        assert "cpu" in text
        assert "memory, %" in text
        assert bool(re.search(r"\bg\d", text)) == (gpus > 0)
        if size == (160, 45):
            assert "ram 10.7/23.4 G" in text
            assert "98 %" in text
            assert "1.2 G" in text
        await pilot.press("H")
        assert monitor.model.view.pane == "charts"
