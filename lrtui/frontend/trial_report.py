"""The output of `lrtui try`: the kinds of lines that a script wrote, what was read from each, and a `parse` that would read the rest."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from lrtui.config import Experiment
from lrtui.config.describe import planned
from lrtui.frontend.failure import parse_key
from lrtui.metrics import Measurement
from lrtui.metrics.capture import Capture, Reading, missing
from lrtui.metrics.capture.line_kinds import Kind, kinds
from lrtui.metrics.capture.patterns import sources
from lrtui.metrics.capture.proposal import fitting, names_read
from lrtui.metrics.capture.records import narrow, records
from lrtui.metrics.line import Found, one_by_one
from lrtui.metrics.read_lines import decoded
from lrtui.sweep.events import RunQueued
from lrtui.text.clean import clean
from lrtui.text.format import amount_about, count, duration, number, plural

_MOST_KINDS = 12
"""The maximum number of kinds shown, of read lines and of unread ones each."""
_MOST_VALUES = 12
_LONGEST = 160
_LOOKED = 400
"""The number of last records from which a proposal is made."""


def first_run(experiment: Experiment) -> RunQueued:
    """Return a run with the middle learning rate of the experiment, up to its first rung."""
    starts = planned(experiment)
    middle = sorted(starts, key=lambda start: start.setting.lr)[len(starts) // 2]
    setting = middle.setting
    lr = math.sqrt(setting.lr * middle.lr_to) if middle.lr_to else setting.lr
    until = experiment.rungs(setting.schedule)[0]
    between = msgspec.structs.replace(setting, lr=lr)
    return RunQueued(run="r01", setting=between, seed=middle.seed, until=until)


class Heard:
    """The output of one attempt, or of a saved log, so far."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._capture = Capture(reading)
        self._last: dict[str, float] = {}
        """The latest value by name."""
        self._times: dict[str, int] = {}
        self._levels: list[tuple[float, float]] = []
        """(level, seconds since the start) of each measurement."""
        self._records: list[bytes] = []
        self._lines: list[bytes] = []
        """Lines of metrics.jsonl."""
        self._rows: list[bytes] = []
        """Rows of the files that `read` names."""

    @property
    def metric(self) -> str:
        """The deciding metric."""
        return self._reading.metric

    @property
    def has_metric(self) -> bool:
        """Whether a value of the deciding metric was read."""
        return self._reading.metric in self._times

    @property
    def evaluations(self) -> int:
        """The number of values of the deciding metric that were read."""
        return self._times.get(self._reading.metric, 0)

    def log(self, data: bytes) -> None:
        """Take the text of a saved log."""
        found: list[Found] = []
        self._capture.text(data, found)
        self._capture.end(found, self._reading.horizon, ok=False)
        self.measured(one_by_one(found), math.nan)
        self.wrote(data)

    def follow(self, capture: Capture) -> None:
        """Report at the end what another capture has read, which is passed to `measured`."""
        self._capture = capture

    def measured(self, found: Iterable[Measurement], seconds: float) -> None:
        """Note what was measured `seconds` after the start."""
        for each in found:
            self._levels.append((each.level, seconds))
            for name, value in each.values.items():
                self._last[name] = value
                self._times[name] = self._times.get(name, 0) + 1

    def wrote(self, output: bytes, metric_lines: bytes = b"", read_lines: bytes = b"") -> None:
        """Take what was written: output, metric lines, and read.jsonl."""
        self._records = records(narrow(output))
        self._lines = [line for line in metric_lines.split(b"\n") if line]
        rows = (decoded(line) for line in read_lines.split(b"\n") if line)
        self._rows = [msgspec.json.encode(each.row) for each in rows if each and each.row]

    def report(self, *, stopped: bool = False) -> list[str]:
        """Return the report as lines that are safe to show; `stopped`: the script might have printed more."""
        printed, emitted = kinds(self._records, self._reading), kinds(self._lines, self._reading)
        taken = [kind for kind in printed if kind.taken]
        passed = [kind for kind in printed if not kind.taken]
        looked = [kind for kind in passed if kind.looks_measured]
        lines = _shown("read from its output:", taken)
        lines += _shown("read from its metric file:", emitted)
        lines += _shown("read from the files that `read` names:", kinds(self._rows, self._reading))
        lines += _shown("not read, although there are numbers in it:", looked)
        others = sum(kind.times for kind in passed) - sum(kind.times for kind in looked)
        if others:
            lines += [f"{count(others, 'other line')} without measurements", ""]
        if not printed and not emitted and not self._rows:
            lines += ["it wrote nothing", ""]
        named = f"(?P<{self._reading.metric}>"
        may_come = stopped and any(named in pattern for pattern in sources(self._reading.parse))
        return [*lines, *self._summary(), *([] if may_come else self._proposal(looked))]

    def _summary(self) -> list[str]:
        """Return the measured metrics with their ranges, and what is missing."""
        metric, unit = self._reading.metric, self._reading.unit
        lines = []
        if self._last:
            values = ", ".join(
                f"{clean(n, 60)} {number(v)}" for n, v in list(self._last.items())[:8]
            )
            lines.append(f"measured at the end: {values}")
            levels = [level for level, _ in self._levels]
            span = f"{unit} {amount_about(min(levels))} to {amount_about(max(levels))}"
            zero = any(memory.zero for memory in self._capture.memories)
            lines.append(f"lengths: {span}" + (", counted from 0" if zero else ""))
            lines += self._pace()
        if self.has_metric:
            lines.append(
                f"{clean(metric)}, which decides, was read {count(self.evaluations, 'time')}"
            )
        else:
            lines.append(missing(metric, self._capture.names))
        loss = self._reading.loss
        if self._last and loss and loss not in self._last and loss != metric:
            lines.append(
                f"{missing(loss, self._capture.names)}; without it the health rules watch nothing"
            )
        return [*lines, *(f"not read: {miss}" for miss in self._capture.misses.told(said=True))]

    def _pace(self) -> list[str]:
        """Return how long a run takes at the pace of this one; [] if that is not known."""
        timed = [(level, at) for level, at in self._levels if not math.isnan(at)]
        if not timed or math.isinf(self._reading.horizon):
            return []
        (begin, since), (end, until) = timed[0], max(timed)
        if end <= begin or until <= since:
            return []
        pace = (until - since) / (end - begin)
        unit, horizon = self._reading.unit, self._reading.horizon
        whole = f"{amount_about(horizon)} {plural(unit)}"
        return [f"at this pace a run of {whole} takes about {duration(pace * horizon)}"]

    def _proposal(self, looked: Sequence[Kind]) -> list[str]:
        """Return the `parse` that reads more, if the deciding metric was not read."""
        if self.has_metric or not (looked or self._records):
            return []
        lines = [clean(record) for record in self._records[-_LOOKED:]]
        lines += [clean(kind.example) for kind in looked]
        patterns = fitting(lines, self._reading)
        if not patterns:
            return []
        names = names_read(patterns, lines, self._reading)
        then = [] if self.metric in names else [f"and then: {missing(self.metric, names)}"]
        return ["", "this reads more:", f"  {clean(parse_key(patterns))}", *then]


def _values(numbers: Mapping[str, float]) -> str:
    """Return some numbers with their names; integers, which may be positions, are not rounded."""
    shown = list(numbers.items())[:_MOST_VALUES]
    texts = (f"{v:.0f}" if v.is_integer() and abs(v) < 1e15 else number(v) for _, v in shown)
    named = [f"{clean(name, 60)} {text}" for (name, _), text in zip(shown, texts, strict=True)]
    hidden = len(numbers) - len(shown)
    return ", ".join([*named, *([f"and {hidden} more"] if hidden else [])])


def _shown(title: str, found: Sequence[Kind]) -> list[str]:
    """Return kinds of lines under a title, each with what is read from it; [] for none."""
    if not found:
        return []
    most = sorted(found, key=lambda kind: -kind.times)[:_MOST_KINDS]
    lines = [title]
    for kind in found:
        if kind not in most:
            continue
        lines.append(f"{kind.times:7,} x  {clean(kind.example, _LONGEST)}")
        if kind.taken:
            lines.append(f"{'':11}{_values(kind.taken)}")
    hidden = len(found) - len(most)
    return [*lines, *([f"{'':11}and {count(hidden, 'more kind')}"] if hidden else []), ""]
