"""Prepares the data: an attempt like any other, in data/aN, before the first launch.

A study of data sets needs several, prepared one after the other, the base's first.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lrtui.config import Experiment
from lrtui.config.directory import Origin, beside
from lrtui.supervisor.outcome import last_line, last_output
from lrtui.supervisor.slots import devices_for
from lrtui.supervisor.startup import device_environment
from lrtui.sweep import events as ev
from lrtui.sweep.events import AnyEvent
from lrtui.sweep.files import read_untrusted, write_atomic
from lrtui.sweep.layout import AttemptLayout, Layout
from lrtui.sweep.state import Sweep
from lrtui.train.options import AUTO
from lrtui.workers.launcher import Exited, Job, Launcher, Unclaimed, Vanished, new_token

_SLOW = 0.5
"""The user is warned of bf16 below this share of fp32's speed."""
_QUOTED = 12
"""Number of output lines shown if there is no data: MNIST's reason and the places of its four files take seven."""


@dataclass(frozen=True, slots=True)
class PreparationFailed:
    """Why there is no data, and the exit code that says so."""

    code: int
    why: str


class _Prepared(msgspec.Struct, frozen=True):
    """prepared.json: what the worker says it prepared."""

    path: str
    dataset: str
    classes: int
    train: int
    val: int
    test: int
    checksum: str
    synthetic: bool = False
    precision: str = ""
    bf16_speed: float = 1.0
    """Speed of bf16 on this CPU, in multiples of fp32."""

    def events(self, dataset: str) -> list[AnyEvent]:
        """Return the journalled form."""
        fields = {**msgspec.structs.asdict(self), "dataset": dataset}
        speed = fields.pop("bf16_speed")
        if not 0 < speed < _SLOW:
            return [ev.DataPrepared(**fields)]
        text = (
            f'precision = "bf16" is slow on this CPU: it multiplies matrices {1 / speed:.0f} times faster in fp32. '
            'precision = "auto" chooses the faster one'
        )
        return [ev.DataPrepared(**fields), ev.Warned(text=text)]


class Preparation:
    """Follows the preparation of one experiment's data sets."""

    def __init__(
        self, layout: Layout, experiment: Experiment, origin: Origin, launcher: Launcher
    ) -> None:
        self._folder = layout.root / "data"
        self._experiment = experiment
        self._origin = origin
        self._launcher = launcher
        self._begun = 0
        """The attempt that this supervisor has launched."""
        self.failure: PreparationFailed | None = None

    def tick(self, sweep: Sweep) -> list[AnyEvent]:
        """Advance the preparation by one step and return its events."""
        missing = self.missing(sweep)
        if not missing or sweep.brake is not None or self.failure is not None:
            return []
        begun = sweep.data_attempt > 0 and sweep.data_wanted == missing[0]
        if not begun or self._must_repeat(sweep):
            number, token = sweep.data_attempt + 1, new_token()
            return [ev.DataPreparing(attempt=number, token=token, dataset=missing[0])]
        root = self._folder / f"a{sweep.data_attempt}"
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        condition = self._launcher.condition(root, sweep.data_token)
        match condition:
            case Unclaimed():
                self._launch(root, sweep, missing[0])
                self._begun = sweep.data_attempt
            case Exited(code=0) if (prepared := self._result(root)) is not None:
                return prepared.events(missing[0])
            case Exited():
                self.failure = _failure(condition, AttemptLayout(root))
            case Vanished(cause="refused", why=why):
                self.failure = PreparationFailed(1, f"the data could not be prepared: {why}")
            case Vanished():
                self._begun = -1
        return []

    def missing(self, sweep: Sweep) -> list[str]:
        """Return the data sets that are not prepared yet, the base's first; [] for own scripts."""
        if self._experiment.command is not None:
            return []
        study = self._experiment.study
        tick = study.levels.get("dataset", ()) if study else ()
        wanted = [self._experiment.dataset, *map(str, tick)]
        return [name for name in wanted if name not in sweep.datasets]

    def alive(self, sweep: Sweep) -> bool:
        """Return whether the preparation continues."""
        return bool(self.missing(sweep)) and sweep.brake is None and self.failure is None

    def _must_repeat(self, sweep: Sweep) -> bool:
        """Return whether the last attempt failed under an earlier supervisor, or was killed."""
        root = self._folder / f"a{sweep.data_attempt}"
        if self._begun == sweep.data_attempt:
            return False
        condition = (
            self._launcher.condition(root, sweep.data_token) if root.is_dir() else Unclaimed()
        )
        failed = isinstance(condition, Exited) and (
            condition.code != 0 or self._result(root) is None
        )
        return failed or isinstance(condition, Vanished)

    def _launch(self, root: Path, sweep: Sweep, dataset: str) -> None:
        data_dir = Path(self._origin.cwd, self._experiment.data_dir or "data")
        words = [
            sys.executable,
            "-m",
            "lrtui.train.prepare",
            f"--dataset={dataset}",
            f"--data-dir={data_dir}",
            f"--beside={beside(self._origin)}",
        ]
        devices: tuple[int, ...] = ()
        if (
            self._experiment.precision == AUTO and sweep.data is None
        ):  # decided with the first, for all
            words += [
                f"--model={self._experiment.model}",
                f"--batch-size={self._experiment.batch_size}",
            ]
            devices = devices_for(sweep)
        elif self._experiment.precision == "bf16" and sweep.data is None and not devices_for(sweep):
            words.append("--bf16")
        content = {"argv": words, "cwd": self._origin.cwd}
        write_atomic(AttemptLayout(root).argv, json.dumps(content, indent=1).encode())
        remote = self._launcher.remote
        values = {
            "LRTUI_ATTEMPT_DIR": str(root),
            **device_environment(devices, 1, remote=remote),
        }
        self._launcher.launch(Job(root, sweep.data_token, values))

    @staticmethod
    def _result(root: Path) -> _Prepared | None:
        try:
            return msgspec.json.decode(read_untrusted(AttemptLayout(root).prepared), type=_Prepared)
        except (msgspec.MsgspecError, RecursionError):
            return None


def _failure(over: Exited, files: AttemptLayout) -> PreparationFailed:
    why = (
        "\n".join(last_output(files)[-_QUOTED:])
        or f"the data could not be prepared ({last_line(files)})"
    )
    if over.code in {2, 5}:  # the user's own data cannot be used; no data, or no room
        return PreparationFailed(over.code, why)
    how = f"exit code {over.code}" if over.signal is None else f"signal {over.signal}"
    return PreparationFailed(1, f"the data could not be prepared: {how}: {why}")
