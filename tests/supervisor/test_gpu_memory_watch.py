"""What runs short, on readings of GPUs that nobody has."""

from __future__ import annotations

import msgspec

from lrtui.hardware.gpu import Gpu
from lrtui.supervisor.gpu_memory_watch import FULL, IN_A_ROW, GpuMemoryWatch
from lrtui.sweep import events as ev
from lrtui.sweep.state import Sweep, fold
from tests.plans import plan_of

TOTAL = 80_000


def gpu(used: float, index: int = 0) -> Gpu:
    return Gpu(index, "H100", int(used * TOTAL), TOTAL, 90, f"GPU-{index}", ())


def sweep_of(devices: list[int], warnings: tuple[ev.Warned, ...] = ()) -> Sweep:
    """A sweep with a run on each of these GPUs."""
    plan = plan_of(devices=tuple(sorted(set(devices))), parallel=len(devices))
    events: list[ev.AnyEvent] = [ev.SweepOpened(plan=plan)]
    for number, device in enumerate(devices, 1):
        run = f"r{number:02d}"
        events += [
            ev.RunQueued(run=run, setting=ev.Setting(lr=1e-3), seed=1, until=10.0),
            ev.RunLaunched(run=run, attempt=1, token="t", until=10.0, devices=(device,)),
            ev.RunStarted(run=run, attempt=1, pid=7),
        ]
    return fold([*events, *warnings])


def said(shortage: GpuMemoryWatch, sweep: Sweep, readings: list[float]) -> list[str]:
    return [e.text for used in readings for e in shortage.tick(sweep, [gpu(used)])]


def test_a_gpu_that_stays_nearly_full_is_told_once_with_a_remedy() -> None:
    sweep = sweep_of([0, 0, 0])
    (text,) = said(GpuMemoryWatch(), sweep, [0.97] * 50)
    assert text.startswith("memory of GPU 0 is nearly full (75.8 of 78.1 GiB, 6 readings in a row)")
    assert "lower parallel (3 now): the key <, or lrtui parallel DIR 2" in text


def test_peaks_and_less_than_that_say_nothing() -> None:
    assert said(GpuMemoryWatch(), sweep_of([0, 0]), ([0.99] * (IN_A_ROW - 1) + [0.5]) * 10) == []
    assert said(GpuMemoryWatch(), sweep_of([0, 0]), [FULL - 0.001] * 50) == []


def test_it_is_never_told_again_by_this_supervisor_or_another() -> None:
    first = sweep_of([0, 0])
    shortage = GpuMemoryWatch()
    (warned,) = [e for _ in range(IN_A_ROW) for e in shortage.tick(first, [gpu(0.97)])]
    after = sweep_of([0, 0], (msgspec.structs.replace(warned, text="in other words"),))
    assert said(shortage, after, [0.5] + [0.97] * 50) == []
    assert said(GpuMemoryWatch(), after, [0.97] * 50) == []


def test_another_gpu_is_told_of_by_itself_and_one_without_our_runs_is_not() -> None:
    sweep, shortage = sweep_of([0, 1]), GpuMemoryWatch()
    readings = [gpu(0.99, 0), gpu(0.96, 1), gpu(1.0, 2)]
    found = [e.text for _ in range(10) for e in shortage.tick(sweep, readings)]
    assert [text[:15] for text in found] == ["memory of GPU 0", "memory of GPU 1"]
    assert all("smaller batch_size" in text for text in found)


def test_no_gpu_and_no_memory_known_say_nothing() -> None:
    shortage, sweep = GpuMemoryWatch(), sweep_of([0])
    blind = Gpu(0, "?", 0, 0, None, "GPU-0", ())
    assert [e for _ in range(10) for e in shortage.tick(sweep, [blind])] == []
    assert shortage.tick(sweep, []) == []
