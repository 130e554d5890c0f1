"""From the files of loggers to measurements: what a converter takes is there once, whoever was killed when."""

import os
import random
import shutil
from pathlib import Path

import msgspec
import pytest

from lrtui.metrics import Measurement, MetricLog, Reading
from lrtui.metrics.converter import Converter
from lrtui.metrics.read_lines import ReadSpec
from lrtui.metrics.sources.older import older_files
from lrtui.sweep.layout import AttemptLayout

LOGGERS = Path(__file__).parent.parent / "data" / "loggers"
READING = Reading(unit="step", metric="val_loss", loss="loss", horizon=1000)


class Attempt:
    """A run's folder with one attempt in it, and converters of it."""

    def __init__(
        self, run_dir: Path, *patterns: str, number: int = 1, resumed: bool = False
    ) -> None:
        self.files = AttemptLayout(run_dir / f"a{number}")
        self.files.root.mkdir(parents=True)
        self.patterns = [str(run_dir / pattern) for pattern in patterns]
        before = AttemptLayout(run_dir / f"a{number - 1}").checkpoint
        older = older_files(self.patterns, (before, self.files.checkpoint) if resumed else None)
        self.spec = ReadSpec(self.patterns, older, 0.0)
        self.spec = msgspec.json.decode(msgspec.json.encode(self.spec), type=ReadSpec)
        self.began()

    def began(self) -> None:
        """Go on with another converter, as the keeper does when one dies."""
        self.converter = Converter(self.files, self.spec)
        self.converter._search_at = 0.0

    def step(self) -> None:
        """Take what is there."""
        self.converter._search_at = 0.0
        while self.converter.step():
            pass

    def measured(self, *, ok: bool = True, reading: Reading = READING) -> list[Measurement]:
        """Return all that was measured, after the end of the worker."""
        self.converter.finish(ok=ok)
        return self.log(reading).poll()

    def log(self, reading: Reading = READING) -> MetricLog:
        """Return a reader of the attempt."""
        self.files.exit.write_text('{"code": 0}')
        return MetricLog(self.files.root, reading, reading.horizon)


def levels(measured: list[Measurement], name: str) -> list[tuple[float, float]]:
    """Return where a metric was measured, and what."""
    return [(each.level, each.values[name]) for each in measured if name in each.values]


def test_rows_become_measurements(tmp_path: Path) -> None:
    """Late files, several formats, positions of each file's own, a last row without its end."""
    attempt = Attempt(tmp_path, "**/*.csv", "*.jsonl")
    attempt.step()
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "m.csv").write_text(
        "step,loss,val_loss\n1,2.5,\n1,,9\n2,1.5,\n,,8\n3,nan,7"
    )
    (tmp_path / "log.jsonl").write_text('{"global_step": 1, "acc": 0.5}\n{"acc": 0.75}\n')
    attempt.step()
    measured = attempt.measured()
    assert levels(measured, "val_loss") == [(1, 9), (2, 8), (3, 7)]
    assert levels(measured, "acc") == [(1, 0.5), (1, 0.75)]
    assert [level for level, _ in levels(measured, "loss")] == [1, 2, 3]


def test_a_torn_end_counts_only_after_exit_0(tmp_path: Path) -> None:
    """A worker that was killed may have been cut off in a number."""
    attempt = Attempt(tmp_path, "m.csv")
    (tmp_path / "m.csv").write_text("step,val_loss\n1,0.5\n2,0.2")
    assert levels(attempt.measured(ok=False), "val_loss") == [(1, 0.5)]


@pytest.mark.parametrize("seed", range(12))
def test_killed_at_any_byte(tmp_path: Path, seed: int) -> None:
    """A converter may die in the middle of a write, and the file it follows may be rewritten meanwhile."""
    draw = random.Random(seed)
    attempt = Attempt(tmp_path, "**/*.csv", "**/*tfevents*")
    events = (LOGGERS / "events.out.tfevents.0").read_bytes()
    seen_by_readers = 0
    log = MetricLog(attempt.files.root, READING)
    got: list[Measurement] = []
    for rows in range(1, 40, 3):
        names = "step,val_loss" if rows < 20 else "more,step,val_loss"
        lead = "" if rows < 20 else ","
        lines = [f"{lead}{n},{n / 4}" for n in range(1, rows + 1)]
        (tmp_path / "m.csv").write_text("\n".join([names, *lines, ""]))
        (tmp_path / "tfevents").write_bytes(events[: len(events) * rows // 37])
        attempt.step()
        if draw.random() < 0.4:
            written = attempt.files.read.read_bytes()
            whole = written.rfind(b"\n", 0, draw.randint(seen_by_readers, len(written))) + 1
            cut = max(seen_by_readers, whole + draw.randint(0, 20))
            os.truncate(attempt.files.read, min(cut, len(written)))
            attempt.began()
        got += log.poll()
        written = attempt.files.read.read_bytes()
        seen_by_readers = written.rfind(b"\n") + 1
    attempt.step()
    attempt.converter.finish(ok=True)
    got += log.poll()
    assert levels(got, "val_loss") == [(n, n / 4) for n in range(1, 38)]
    assert [value for _, value in levels(got, "val/acc")] == [0, 0.25, 0.5, 0.75]


def test_an_attempt_that_goes_on(tmp_path: Path) -> None:
    """A logger that appends goes on; copies in a checkpoint that is handed on, and old files, are older."""
    first = Attempt(tmp_path, "**/*.csv")
    (tmp_path / "m.csv").write_text("epoch,val_loss\n0,3\n1,2\n")
    first.files.checkpoint.mkdir()
    (first.files.checkpoint / "log.csv").write_text("epoch,acc\n0,0.5\n")
    first.step()
    reading = Reading(unit="epoch", metric="val_loss", loss="loss", horizon=4)
    assert len(levels(first.measured(reading=reading), "val_loss")) == 2
    second = Attempt(tmp_path, "**/*.csv", number=2, resumed=True)
    shutil.copytree(first.files.checkpoint, second.files.checkpoint)
    with (tmp_path / "m.csv").open("a") as file:
        file.write("2,1\n3,0.5\n")
    with (second.files.checkpoint / "log.csv").open("a") as file:
        file.write("2,0.75\n")
    second.step()
    second.converter.finish(ok=True)
    earlier, log = first.log(reading), second.log(reading)
    earlier.poll()
    log.capture.go_on_from(earlier.capture)
    measured = log.poll()
    assert levels(measured, "val_loss") == [(3, 1), (4, 0.5)]
    assert levels(measured, "acc") == [(3, 0.75)]


def test_trainer_state_in_each_checkpoint(tmp_path: Path) -> None:
    """The history comes again in every file, in a resumed attempt too, and is taken once."""
    early, late = LOGGERS / "checkpoint-2", LOGGERS / "end"
    attempt = Attempt(tmp_path, "**/trainer_state.json")
    shutil.copytree(early, tmp_path / "checkpoint-2")
    attempt.step()
    attempt.began()
    shutil.copytree(late, tmp_path / "checkpoint-6")
    shutil.copy(late / "trainer_state.json", tmp_path)
    attempt.step()
    losses = levels(attempt.measured(), "eval_loss")
    assert [level for level, _ in losses] == [2, 4, 6]
    shutil.rmtree(tmp_path / "checkpoint-6")
    (tmp_path / "trainer_state.json").unlink()
    resumed = Attempt(tmp_path, "**/trainer_state.json", number=2)
    resumed.began()
    shutil.copytree(late, tmp_path / "checkpoint-6")
    assert [level for level, _ in levels(resumed.measured(), "eval_loss")] == [4, 6]


def test_what_is_not_read_is_said(tmp_path: Path) -> None:
    """Patterns without a file, links and folders, damaged and unknown files, rows that are none."""
    attempt = Attempt(tmp_path, "none/*.csv", "*.csv", "*.bin", "tfevents")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "link.csv").symlink_to("/etc/passwd")
    (tmp_path / "bad.csv").write_text("step,loss\n1,0.5\nx\x1b[31m,y\n")
    (tmp_path / "odd.bin").write_bytes(b"\x00\x01")
    (tmp_path / "tfevents").write_bytes(b"\0" * 50)
    attempt.step()
    attempt.began()
    attempt.converter.finish(ok=True)
    log = attempt.log()
    log.poll()
    told = "\n".join(log.capture.misses.told())
    for part in (
        "no file matches none/*.csv",
        "folder.csv is a link, a folder or a device",
        "link.csv is a link",
        "odd.bin is of no known format",
        "1 record of bad.csv cannot be read",
        "tfevents: is damaged",
    ):
        assert told.count(part) == 1, told
    assert log.bad == 0


def test_many_columns_and_hostile_names(tmp_path: Path) -> None:
    """The deciding metric is kept however many others there are; control sequences are no names."""
    names = ["step", *(f"m{n}" for n in range(10_000)), "\x1b]0;x\x07", "val_loss"]
    attempt = Attempt(tmp_path, "m.csv")
    (tmp_path / "m.csv").write_text(",".join(names) + "\n" + ",".join("1" for _ in names) + "\n")
    attempt.step()
    attempt.converter.finish(ok=True)
    log = attempt.log()
    assert levels(log.poll(), "val_loss") == [(1, 1)]
    assert all(name.isprintable() for name in log.capture.names)
    assert len(log.capture.names) <= 256


def test_own_files_are_not_read(tmp_path: Path) -> None:
    """A pattern that matches lrtui's own files of the run does not."""
    attempt = Attempt(tmp_path, "**/*.json*")
    attempt.files.metrics.write_text('{"step": 1, "val_loss": 1}\n')
    (tmp_path / "run.json").write_text("{}")
    attempt.step()
    assert levels(attempt.measured(), "val_loss") == [(1, 1)]
