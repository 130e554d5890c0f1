"""What the terminal shows after the monitor is left."""

from pathlib import Path

from lrtui.cli.attach import farewell
from lrtui.sweep import events as ev
from tests.tui import recordings


def left(directory: Path, events: list[ev.AnyEvent]) -> str:
    versioned = (ev.msgspec.structs.replace(each, v=ev.VERSION) for each in events)
    (directory / "journal.jsonl").write_bytes(b"".join(ev.encode(e) + b"\n" for e in versioned))
    return farewell(directory)


def test_a_study_that_has_ended_says_its_verdict_and_lr_star_by_level(tmp_path) -> None:
    said = left(tmp_path, recordings.study())
    assert "the sweep has ended: all runs finished" in said
    assert "use lr = 3e-03" in said
    assert "batch_size: LR* rises with it" in said
    assert [size for size in recordings.BEST_AT if f"\n  {size} " in said] == [8, 32, 128, 512]
    assert "--resume" not in said


def test_after_a_stop_of_all_it_says_how_to_continue(tmp_path) -> None:
    stop = ev.BrakeSet(on=True, why="stopped by you", stop=True)
    stopped = recordings._numbered([*recordings.search(), stop])
    assert f"which was stopped: lrtui {tmp_path} --resume" in left(tmp_path, stopped)
    closed = ev.SweepClosed(code=4, why="stopped by you")
    said = left(tmp_path, recordings._numbered([*stopped, closed]))
    assert f"which was stopped: lrtui {tmp_path} --resume" in said
    assert "so far" in said


def test_after_failures_it_says_how_to_run_them_again(tmp_path) -> None:
    failed = ev.RunEnded(run="r05", attempt=2, kind="failed", code=1, why="exit code 1")
    closed = ev.SweepClosed(code=1, why="all runs ended")
    said = left(tmp_path, recordings._numbered([*recordings.search(), failed, closed]))
    assert "start another sweep" not in said, "its experiment file is not here"
    assert (
        f"Run the failed runs again, once the cause is fixed: lrtui restart {tmp_path} --failed"
        in said
    )


def test_of_runs_that_continue_it_says_how_to_come_back(tmp_path) -> None:
    said = left(tmp_path, recordings.search())
    assert said.startswith("detached; 1 running")
    assert f"lrtui stop {tmp_path}" in said
