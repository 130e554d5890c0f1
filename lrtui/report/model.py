"""The report as data: the content of report.json, and the source of all other formats.

`content` makes it, `json_form` writes it. Its text is cleaned. docs/report.md and docs/report.schema.json are made from the
docstrings and types here: a field without a docstring of its own shares that of the next.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from lrtui.analysis import study
from lrtui.analysis.verdict import Noise
from lrtui.sweep.events import Origin, Scalar, Unit

VERSION = 2
"""Of the schema. Fields may be added under the same number; one that is renamed or means something else raises it."""

Measured = Annotated[float, msgspec.Meta(extra_json_schema={"pattern": "^(NaN|-?Infinity)$"})]
"""A value that a script printed; a non-finite one is a word in JSON."""


class Paste(msgspec.Struct, frozen=True, kw_only=True):
    """The answer as lines to copy."""

    toml: tuple[str, ...]
    """Lines for the experiment file; none without an answer."""
    torch: tuple[str, ...]
    """Lines for PyTorch; none for own scripts."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The answer, or why there is none."""

    headline: str
    """The answer in a line."""
    lr: float | None
    """The learning rate to use; `null` if the sweep found none: `reasons` say what to try."""
    group: str
    """Its setting besides the LR, as text."""
    optimizer: str
    schedule: str
    """A name, or compact JSON with the options; `""` for own scripts without one."""
    values: dict[str, Scalar]
    """The values of `[values]` and of the axes of `[search]`, by name."""
    axes: dict[str, str]
    """The recommended values on the axes of `[search]`, as they are shown."""
    differs: tuple[tuple[str, Scalar], ...]
    """In a study: the factors in which it differs from the experiment's own, with their levels."""
    low: float | None
    high: float | None
    """The interval of the best LR; its probability is 90 % if `by_noise` is true, otherwise the noise is unknown."""
    open: tuple[Literal["below", "above"], ...]
    """The sides on which no LR was seen to be worse, so that the best one may lie anywhere beyond that end."""
    by_noise: bool
    """Whether `noise` is not `unknown`."""
    noise: Noise
    """The source of the noise between seeds: `seeds` (measured), `curves` (one seed: how its late values scatter), `assumed` (one
    seed: from the benchmarks), `unknown`."""
    scatter: float | None
    """The standard deviation between seeds that the interval takes, in the metric's unit."""
    optimum: float | None
    """The LR at which the curve is highest; it need not have been tried."""
    equal: tuple[Measured, Measured] | None
    """The lowest and the highest of the LRs that are equally good."""
    decades: float | None
    """The width of that range on log10(lr)."""
    within: float | None
    """The tolerance that counts as equal, in the metric's unit."""
    value: Measured | None
    """The metric at `lr`."""
    se: Measured | None
    """Its standard error; `null` with one seed."""
    at: float | None
    """The length at which it was measured, in `unit`."""
    seeds: int
    """The number of seeds in the mean."""
    runs: tuple[str, ...]
    """Their runs."""
    unit: Unit
    """Of `at` and the two below."""
    epochs_spent: float
    """The cost of the search; in `unit`, despite its name."""
    epochs_grid: float
    """The cost of training every LR to the end with one seed; in `unit`, despite its name."""
    provisional: bool
    """Whether unfinished runs could change the verdict."""
    reasons: tuple[str, ...]
    """The reasons, as text."""
    not_tested: tuple[str, ...]
    """LRs that it does not cover, as text."""
    paste: Paste
    """Lines to copy."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FactorLevel(study.Level):
    """One level of a factor with its interval as text."""

    range: str
    """The interval as text: `1.0e-03..> 3.2e-03` if it is open above."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Factor(study.Factor):
    """The result of one factor of a study."""

    levels: tuple[FactorLevel, ...]
    """Numbers ascending; names in the order of the study, the experiment's own first."""
    said: tuple[str, ...]
    """The result as text, as log mode prints it."""
    remarks: tuple[str, ...]
    """The text beside the levels: the trend first."""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one LR of a setting."""

    lr: float
    """The learning rate."""
    axes: dict[str, float]
    """The values on the axes of `[search]`, by name."""
    runs: tuple[str, ...]
    """One per seed."""
    values: tuple[Measured, ...]
    """The metric, one per seed that came to `level`."""
    mean: Measured | None
    """Their mean, without the seed that selected the LR."""
    se: Measured | None
    """Standard error of the mean."""
    seeds: int
    """The number of seeds in the mean."""
    level: float | None
    """The length at which the values were measured, in `unit`."""
    full: bool
    """Whether that is the full length: only such points are comparable."""
    dead: str
    """`"diverged"`, `"collapsed"`, `"chance"`, `"failed"`, `"nan"`; `""` if no seed died."""
    state: str
    """Of the first run."""
    val_loss: Measured | None
    """The validation loss at that length."""


class Sensitivity(msgspec.Struct, frozen=True, kw_only=True):
    """The metric against the learning rate, of one setting."""

    group: str
    """The setting besides the LR, as text."""
    points: tuple[Point, ...]
    """The lowest LR first."""


class Map(msgspec.Struct, frozen=True, kw_only=True):
    """The metric at the full length as predicted by a search beside the LR. If there are two axes, the other one has its recommended value."""

    group: str
    """The setting besides the LR, as text."""
    axis: str
    """The name of the axis."""
    lrs: tuple[float, ...]
    """Of the columns."""
    axis_values: tuple[float, ...]
    """Of the rows."""
    marks: tuple[tuple[float, float], ...]
    """The axis' labels: a value, and its place from 0 to 1."""
    places: tuple[float | None, ...]
    """Of the points of `sensitivity`, in their order; `null` for one without a value on the axis."""
    values: tuple[tuple[Measured, ...], ...]
    """The predicted values, by row."""
    limits: tuple[Measured, ...]
    """The values that part the bands of the chart, the worst first."""


class RungRun(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one run at a rung: it was compared, joined late or died before it."""

    run: str
    """Its ID, such as `r03`."""
    lr: float
    """Its learning rate."""
    seed: int
    """Its seed."""
    value: Measured | None
    """The metric at that length."""
    fate: str
    """`"kept"`, `"pruned"`, or how it died."""
    why: str
    """Its place among those that were kept, or why it ended."""


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """All LRs of a setting, compared at one length."""

    group: str
    """The setting besides the LR, as text."""
    level: float
    """The length, in `unit`."""
    kept: tuple[str, ...]
    pruned: tuple[str, ...]
    """Runs, the best first."""
    cut: Measured | None
    """The worst value that was kept."""
    why: str
    """The decision, as text."""
    runs: tuple[RungRun, ...]
    """The result of each run, the best first."""


class RangeTest(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A range test: the loss while the LR was raised step by step."""

    run: str
    """Its ID, such as `t01`."""
    group: str
    """Its setting besides the LR, as text."""
    from_: float
    to: float
    """The LRs of its first and its last step."""
    steps: int
    """How many steps there are."""
    valley: float | None
    steep: float | None
    """The LRs that the rules of these names suggest; the search starts from the valley."""
    minimum: float | None
    """A tenth of the LR of the lowest loss."""
    slide: float | None
    """The LR that the rule of this name suggests."""
    diverged: float | None
    """The LR at which the loss had turned; `null` if it never did."""
    points: int
    """How many losses were read."""
    why: str
    """Why it suggests nothing, or how it ended."""
    curve: tuple[tuple[float, float], ...]
    """The LR and the loss, for each step or each few; the loss as it was measured."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A setting with all its seeds."""

    rank: int
    """From 1."""
    run: str
    """The first of `runs`."""
    runs: tuple[str, ...]
    """One per seed."""
    lr: float
    """The learning rate."""
    optimizer: str
    schedule: str
    """As in `verdict`."""
    values: dict[str, Scalar]
    """The values of `[values]` and of the axes of `[search]`, by name."""
    state: str
    """The state of its first run: `queued`, `running`, `ended`, ..."""
    kind: str | None
    """How that ended: `finished`, `pruned`, `killed`, `failed`, `diverged`, `lost`."""
    epoch: float | UnsetType = UNSET
    step: float | UnsetType = UNSET
    tokens: float | UnsetType = UNSET
    """The progress of its first run: one of the three, the one that `unit` names."""
    metric: str
    """What `value` is of."""
    value: Measured | None
    """The mean over the seeds at `at`, which ranks it."""
    at: float | None
    """The length at which settings are compared, in `unit`."""
    mean: Measured | None
    """As `value`."""
    se: Measured | None
    """Standard error of the mean."""
    seeds: int
    """How many seeds count in it."""
    val_loss: Measured | None
    """The validation loss at that length."""
    best: Measured | None
    """The best value of the first run."""
    best_at: float | None
    """Where it had it, in `unit`."""
    test: dict[str, Measured]
    """Test metrics at the same length: reported, never selected on."""
    spent: float
    """How much its runs trained, in `unit`."""
    why: str
    """Why it is in this state."""


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """One run by itself."""

    run: str
    """Its ID, such as `r03`."""
    lr: float
    """The learning rate."""
    optimizer: str
    schedule: str
    """As in `verdict`."""
    values: dict[str, Scalar]
    """The values of `[values]` and of the axes of `[search]`, by name."""
    seed: int
    """The seed."""
    range_test: bool
    """Whether it is a range test."""
    origin: Origin
    """Whether the search or the user asked for it."""
    state: str
    """Its state, or how it ended."""
    why: str
    """Why, in words."""
    value: Measured | None
    """Its own last value of the metric."""
    level: float | None
    """The length at which it was measured, in `unit`."""
    val_loss: Measured | None
    """The validation loss there."""
    test: dict[str, Measured]
    """The test metrics there."""
    spent: float
    """How much it trained, in `unit`."""
    attempts: int
    """How often it was started."""
    output: tuple[str, ...]
    """Lines that looked like measurements and were not read; of a failed run its last lines, and a `parse` that would have read it."""


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """The metric or the training loss of a run, thinned to highs and lows."""

    run: str
    """Its ID, such as `r03`."""
    lr: float
    """Its learning rate."""
    group: str
    """Its setting besides the LR, as text."""
    seed: int
    """Its seed."""
    metric: str
    """What was measured."""
    x: tuple[float, ...]
    """Lengths, in `unit`."""
    y: tuple[float | None, ...]
    """Values; `null` is a gap."""


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """The data set and its splits; of an own script only `dataset`."""

    dataset: str
    """Its name."""
    classes: int | UnsetType = UNSET
    """How many classes there are."""
    train: int | UnsetType = UNSET
    val: int | UnsetType = UNSET
    test: int | UnsetType = UNSET
    """Examples of each split."""
    checksum: str | UnsetType = UNSET
    """Of the prepared arrays."""
    synthetic: bool | UnsetType = UNSET
    """Whether it is synthetic."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """The budget of the sweep, and its cost."""

    limit: float | None
    """In `unit`; `null` without one."""
    limit_seconds: float | None
    """The limit in seconds of training; `null` without one."""
    spent: float
    """In `unit`."""
    seconds: float
    """Of training."""
    reached: str | None
    """How the budget ended the sweep; `null` if it did not."""


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a sweep."""

    code: int
    """The exit code."""
    why: str
    """In words."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    version: int
    """Of this schema."""
    experiment: str
    """Its name."""
    title: tuple[str, ...]
    """Model or command, data, optimizers, length, date of the start, and host with CPU or GPU."""
    metric: str
    """What was optimised."""
    goal: Literal["max", "min"]
    """Whether more or less of it is better."""
    unit: Unit
    """The unit of lengths of training."""
    horizon: float
    """The full length of a run, in `unit`."""
    verdict: Verdict
    """The answer."""
    groups: tuple[Verdict, ...]
    """One verdict for each combination of optimizer, schedule and values, the best first."""
    study: tuple[Factor, ...]
    """The factors of a `[study]`."""
    sensitivity: tuple[Sensitivity, ...]
    """The points of the sensitivity chart, by group."""
    maps: tuple[Map, ...]
    """The predicted metric for each axis of `[search]`; `[]` without axes."""
    rungs: tuple[Rung, ...]
    """Which runs were kept, which were not, and why."""
    ranges: tuple[RangeTest, ...]
    """The range tests."""
    leaderboard: tuple[Row, ...]
    """The settings in order."""
    leaderboard_note: str
    """Why its first row is not the recommended setting; `""` if it is."""
    runs: tuple[RunRow, ...]
    """Each run by itself; the rows of `report.csv`."""
    curves: tuple[Curve, ...]
    """`metric` and training loss of each run."""
    seeds: tuple[int, ...]
    """Those that were used."""
    settings: dict[str, Scalar]
    """The settings that were the same for every run, as text."""
    data: Data
    """The data set and its splits."""
    budget: Budget
    """The budget of the sweep, and its cost."""
    closed: Closed | None
    """The end; `null` while the sweep is open."""
    no_answer: str
    """Why an ended sweep has no answer; `""` if it has one."""
    remedy: tuple[str, ...]
    """What to do about it, as lines, if known (missing data)."""
    next: tuple[tuple[str, str], ...]
    """How to continue a sweep that was stopped or failed: text and a command."""
    warnings: tuple[str, ...]
    """The latest 20."""
    versions: dict[str, str]
    """Of the programs with which the report was written."""
    ran_with: dict[str, str]
    """`program`, `git` commit, and CRC-32 of script and environment of the first attempt, as far as they are known."""
    experiment_file: tuple[str, ...]
    """The lines of the file that the runs used."""
    reproduce: tuple[str, ...]
    """The commands that start the same sweep again."""
    written: str
    """When, UTC."""
