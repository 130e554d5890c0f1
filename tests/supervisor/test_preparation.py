"""The data sets of a study: one after the other, the base's first, whenever the supervisor dies."""

import json
from pathlib import Path

import msgspec
import pytest

from lrtui.config import parse
from lrtui.config.directory import Origin
from lrtui.supervisor.planning import resolve
from lrtui.supervisor.preparation import Preparation, _failure
from lrtui.sweep import events as ev
from lrtui.sweep.layout import AttemptLayout, Layout
from lrtui.sweep.state import fold
from lrtui.workers.launcher import Alive, Exited, Launcher, Unclaimed, Vanished
from tests.until import until

FILE = """\
dataset = "digits"
batch_size = 32
model = "linear"
epochs = 1
data = 0.05
lr = 1e-3
[study]
dataset = ["synthetic", "digits", "mnist"]
"""


class FarEnd(Launcher):
    """A launcher without processes: a launched attempt lives for a few looks, then ends as it was told."""

    def __init__(self, codes=(), **answer) -> None:
        self.codes = list(codes)
        self.answer = answer
        """What each attempt says beside the usual."""
        self.launched: list[str] = []
        """The data set of each launch."""
        self._looks: dict[Path, int] = {}
        self._ends: dict[Path, int | None] = {}

    def launch(self, job) -> None:
        assert not any(looks > 0 for looks in self._looks.values()), "two at once"
        words = json.loads(AttemptLayout(job.root).argv.read_text())["argv"]
        name = next(word for word in words if word.startswith("--dataset=")).partition("=")[2]
        self.launched.append(name)
        self._looks[job.root] = 2
        code = self._ends[job.root] = self.codes.pop(0) if self.codes else 0
        if code == 0:
            answer = {"dataset": name, "path": f"/p/{name}", "classes": 10, "train": 1, "val": 1}
            found = {**answer, "test": 1, "checksum": "c", "synthetic": False, **self.answer}
            AttemptLayout(job.root).prepared.write_text(json.dumps(found))

    def condition(self, root, token):
        if root not in self._looks:
            return Unclaimed()
        self._looks[root] -= 1
        if self._looks[root] > 0:
            return Alive(1, kept=True)
        code = self._ends[root]
        return Vanished() if code is None else Exited(code, None)


class Sweeping:
    """The supervisor's loop, as far as a preparation sees it."""

    def __init__(self, folder, text=FILE, codes=()) -> None:
        self.folder = folder
        self.experiment = parse(text, "x.toml")
        self.far_end = FarEnd(codes)
        self.events: list[ev.AnyEvent] = []
        self.append(ev.SweepOpened(plan=resolve(self.experiment, "x.toml", on_cpu=True)))
        self.revive()

    def append(self, *events) -> None:
        for event in events:
            numbered = msgspec.structs.replace(event, v=ev.VERSION, n=len(self.events) + 1)
            self.events.append(ev.decode_event(ev.encode(numbered)))

    def revive(self) -> None:
        origin = Origin("x.toml", str(self.folder), "python")
        self.preparation = Preparation(Layout(self.folder), self.experiment, origin, self.far_end)

    @property
    def sweep(self):
        return fold(self.events)

    def tick(self) -> None:
        self.append(*self.preparation.tick(self.sweep))

    def run(self, *, dying_before=()) -> None:
        for i in range(100):
            if i in dying_before:
                self.revive()
            if not self.preparation.alive(self.sweep):
                return
            self.tick()
        raise AssertionError("it does not come to an end")

    def prepared(self) -> list[str]:
        return [e.dataset for e in self.events if isinstance(e, ev.DataPrepared)]


@pytest.mark.parametrize(("speed", "warned"), [(0.04, True), (0.9, False), (3.0, False)])
def test_a_slow_bf16_is_warned_about_with_its_factor(tmp_path, speed, warned):
    """Before any run is launched, and once however many data sets a study prepares."""
    sweeping = Sweeping(tmp_path, text=f'precision = "bf16"\n{FILE}')
    sweeping.far_end.answer = {"bf16_speed": speed}
    sweeping.tick()
    sweeping.tick()
    words = json.loads(AttemptLayout(tmp_path / "data" / "a1").argv.read_text())["argv"]
    assert "--bf16" in words
    sweeping.far_end.answer = {}
    sweeping.run()
    texts = [event.text for event in sweeping.events if isinstance(event, ev.Warned)]
    assert [("25 times faster in fp32" in text) for text in texts] == [True] * warned
    assert sweeping.sweep.data.path == "/p/digits"


def test_bf16_is_measured_only_where_it_is_asked_for(tmp_path):
    sweeping = Sweeping(tmp_path)
    sweeping.run()
    words = json.loads(AttemptLayout(tmp_path / "data" / "a1").argv.read_text())["argv"]
    assert "--bf16" not in words


def test_mnists_message_keeps_its_reason(tmp_path):
    """Seven lines: the reason, where each of four files belongs, and what to do without them."""
    lines = [
        "mnist is not on this machine and cannot be downloaded: REASON",
        "put the original here:",
    ]
    lines += [f"  {tmp_path}/{n}   md5 x   (not there)" for n in range(4)]
    lines += ["or try without it: --dataset synthetic"]
    (tmp_path / "output.log").write_text("a warning\n" + "\n".join(lines))
    failed = _failure(Exited(5, None), AttemptLayout(tmp_path))
    assert failed.code == 5
    assert all(line in failed.why for line in lines)


def test_all_data_sets_are_prepared_one_after_the_other_the_bases_first(tmp_path):
    sweeping = Sweeping(tmp_path)
    sweeping.run()
    assert sweeping.prepared() == sweeping.far_end.launched == ["digits", "synthetic", "mnist"]
    assert sweeping.sweep.data.path == "/p/digits"
    assert sweeping.sweep.data_attempt == 3
    assert sweeping.preparation.missing(sweeping.sweep) == []


@pytest.mark.parametrize("tick", range(16))
def test_a_supervisor_that_dies_between_any_two_ticks_prepares_nothing_twice(tmp_path, tick):
    sweeping = Sweeping(tmp_path)
    sweeping.run(dying_before=(tick,))
    assert sweeping.prepared() == sweeping.far_end.launched == ["digits", "synthetic", "mnist"]


def test_a_preparation_that_was_killed_with_its_supervisor_begins_again(tmp_path):
    sweeping = Sweeping(tmp_path, codes=[0, None])
    sweeping.run(dying_before=range(100))
    assert sweeping.far_end.launched == ["digits", "synthetic", "synthetic", "mnist"]
    assert sweeping.prepared() == ["digits", "synthetic", "mnist"]


def test_a_data_set_that_cannot_be_had_ends_the_sweep_before_any_launch(tmp_path):
    sweeping = Sweeping(tmp_path, codes=[0, 5])
    sweeping.run()
    assert sweeping.preparation.failure.code == 5
    assert sweeping.prepared() == ["digits"]
    assert sweeping.sweep.preparing
    sweeping.revive()  # lrtui --resume, after the data was put there
    sweeping.run()
    assert sweeping.prepared() == ["digits", "synthetic", "mnist"]


def test_without_a_study_one_data_set_is_prepared(tmp_path):
    sweeping = Sweeping(tmp_path, text=FILE.partition("[study]")[0])
    sweeping.run()
    assert sweeping.prepared() == ["digits"]


@pytest.mark.campaign
def test_every_run_trains_on_the_data_of_its_level(lab, campaign):
    """In the campaign also if the supervisor dies between two preparations, as it does above in one process."""
    file = lab.folder / "study.toml"
    file.write_text(FILE.replace(', "digits", "mnist"', ""))
    lab.open(file)
    if campaign:
        until(lambda: lab.sweep.data)
        lab.kill_supervisor()
        lab.revive()
    assert lab.closed().why.startswith("2 of 2 runs finished")
    sweep = lab.sweep
    assert set(sweep.datasets) == {"digits", "synthetic"}
    layout = Layout(lab.directory)
    for run in sweep.runs.values():
        words = json.loads(AttemptLayout(layout.attempt(run.folder, 1)).argv.read_text())["argv"]
        assert f"--prepared={sweep.data_of(run.setting).path}" in words
        about = json.loads((layout.root / run.folder / "run.json").read_text())
        assert about["dataset"] == run.setting.values.get("dataset", "digits")
    assert {run.setting.values.get("dataset") for run in sweep.runs.values()} == {None, "synthetic"}
    assert not list(lab.oracle.iterdir())
