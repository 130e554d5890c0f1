"""The answer: the recommendation, and its two one-line forms.

Made only by `recommend`; supervisor, monitor, log mode, study and report read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Literal, NamedTuple

from lrtui.sweep.events import GroupKey, Plan, Setting
from lrtui.text.clean import clean
from lrtui.text.format import lr_interval, lr_range, lr_text, number, setting_value


class Why(StrEnum):
    """The kind of a reason."""

    MEASURED = auto()
    BETTER = auto()
    """Another LR measured better than the recommended one."""
    RUNNER_UP = auto()
    OTHER_GROUPS = auto()
    CLIFF = auto()
    """The learning rate above the highest one failed, so the recommended one is the safer of the two."""
    TIE = auto()
    NOISE = auto()
    AXIS = auto()
    """Between which values the best place on an axis of [search] lies."""
    INTERACTION = auto()
    """How the best LR moves along an axis of [search]."""
    SPACING = auto()
    """The size of the noise behind the interval is unknown."""
    OPTIMUM = auto()
    EQUAL = auto()
    EDGE = auto()
    SURER = auto()
    """Which further runs would make the answer of a search surer."""
    DEAD = auto()
    COST = auto()
    TEST_DATA = auto()
    LENGTH = auto()
    """The value was not measured at the full length."""
    EARLY = auto()
    """Runs ended by themselves before the length of the others."""
    INTERPOLATED = auto()
    AVERAGED = auto()
    """Single values scatter, so that each stands for several."""
    BY_LOSS = auto()
    """Rungs were decided by the training loss."""
    BUDGET = auto()
    WAITING = auto()
    """Runs have not ended."""
    NOTHING = auto()
    """No learning rate has a result at a length at which they can be compared."""
    NOT_LEARNED = auto()
    INDISTINCT = auto()
    """All learning rates have the same result."""
    ADVICE = auto()
    RECORDED = auto()
    """From the journal of a closed sweep, as text."""


class Noise(StrEnum):
    """The source of the noise between seeds that an interval is based on."""

    SEEDS = auto()
    """Several seeds of an LR."""
    CURVES = auto()
    """One seed: mostly how the late values of each run scatter."""
    ASSUMED = auto()
    """One seed: as in the trained workloads of the benchmarks."""
    UNKNOWN = auto()
    """Unknown: a metric of another kind, or seeds that repeat themselves."""

    @property
    def words(self) -> str:
        """The note beside an interval, by noise source; "" if seeds measured it."""
        return _NOISE_WORDS[self]


_NOISE_WORDS = {
    Noise.SEEDS: "",
    Noise.CURVES: "noise from late values",
    Noise.ASSUMED: "noise assumed",
    Noise.UNKNOWN: "noise unknown",
}

Side = Literal["below", "above"]


class Reason(NamedTuple):
    """A line below a recommendation; decisions read `why`, people `text`."""

    why: Why
    text: str
    passed_over: tuple[tuple[float, str], ...] = ()
    """LRs that may have measured better than the recommended one, each with why it is not recommended."""


_NO_GROUP = GroupKey()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A recommendation."""

    lr: float | None = None
    """None if nothing can be recommended; the reasons then say what to try."""
    group: GroupKey = _NO_GROUP
    setting: Setting | None = None
    runs: tuple[str, ...] = ()
    value: float | None = None
    value_at: float | None = None
    """The length at which the value was measured."""
    seeds: int = 0
    """The number of seeds in the mean."""
    low: float | None = None
    high: float | None = None
    """The 90 % interval of the best LR; None if only one LR was tried."""
    open_sides: tuple[Side, ...] = ()
    """Where no LR beyond the recommended one was seen to be worse, so that the best one may lie anywhere beyond `low` or `high`."""
    noise: Noise = Noise.UNKNOWN
    """What the interval's noise is known from. Where it is unknown, the interval has no probability."""
    scatter: float | None = None
    """Standard deviation between seeds of one run's value that the interval takes, in the metric's unit; None if there is no interval."""
    optimum: float | None = None
    """The interpolated best LR, which need not have been tried."""
    equal: tuple[float, float] | None = None
    """The LRs that are equally good, within `within`."""
    within: float | None = None
    """In the metric's unit; None if neither the user nor any noise says what is equal."""
    spent: float = 0.0
    grid: float = 0.0
    """The cost of training every LR to the end with as many seeds, in the plan's unit."""
    provisional: bool = True
    """Whether unfinished runs could still change it."""
    reasons: tuple[Reason, ...] = ()
    not_tested: tuple[str, ...] = ()

    @property
    def by_noise(self) -> bool:
        """Whether the size of the noise is known."""
        return self.noise is not Noise.UNKNOWN

    @property
    def axes(self) -> dict[str, float]:
        """The recommended place on each axis of [search]."""
        return self.setting.axes if self.setting is not None else {}

    @property
    def beside(self) -> list[tuple[str, str]]:
        """The recommended place on the axes, to be shown: each name and value."""
        return [(clean(name, 30), setting_value(value)) for name, value in self.axes.items()]

    def headline(self, plan: Plan) -> str:
        """Return the verdict in one line."""
        if self.lr is None:
            if self.equal is not None:
                return f"the learning rates from {lr_range(*self.equal)} cannot be told apart"
            return "no learning rate to recommend"
        so_far = "so far: " if self.provisional else ""
        if self.low is not None and self.high is not None:
            between = lr_interval(self.low, self.high, self.open_sides)
            about = f"90 %: {between}" if self.by_noise else between
            about = ", ".join(filter(None, (about, self.noise.words)))
        else:
            about = f"{clean(plan.metric)} {number(self.value)}"
        beside = "".join(f", {name} = {value}" for name, value in self.beside)
        return f"{so_far}use lr = {lr_text(self.lr)}{beside} ({about})"
