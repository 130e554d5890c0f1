"""Follows runs that lrtui did not start: folders of event files, W&B offline runs, CSV and JSON lines become the monitor's `Snapshot`.

It has the interface of `snapshot.DirectoryReader`, so that app, panels and charts need not know the difference. It writes nothing
and decides nothing: runs are ranked by their best value of one metric at any length, and the screen says so.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from lrtui.analysis.ranking import Standing
from lrtui.frontend.snapshot import Snapshot, Watched
from lrtui.frontend.watch.followed_file import NO_LOG, Followed
from lrtui.frontend.watch.grouping import place_of
from lrtui.frontend.watch.rows import Placing
from lrtui.frontend.watch.run_settings import above, flatten, learning_rate, settings_in, varying
from lrtui.frontend.watch.tree import Found, Tree
from lrtui.metrics import RunSeries
from lrtui.metrics.deciding import deciding, goal_of
from lrtui.sweep.events import EndingKind, Plan, Scalar, Setting, Unit
from lrtui.sweep.state import Ending, Run, State, Sweep, shown_state
from lrtui.text.clean import clean
from lrtui.text.format import count, lr_text, size

VIEW_ONLY = "lrtui did not start these runs"
NAME = "name"
"""The column with a run's path."""
LIVE_SECONDS = 300.0
"""A run whose files were written within this time is shown as running."""
MOST_RUNS = 10_000
_WARM_SECONDS = 600.0
"""Files written within this time are checked first."""
_CHECK_SECONDS = 0.03
"""Seconds per snapshot for checking files for changes."""
_FIRST_LOOKS, _LONG_LOOK_SECONDS = 4, 0.4
"""The number of short snapshots at first, for an early chart, and the seconds of later ones."""
_PATIENCE = 4
"""While files are being read, ranking takes at most a fifth of the time."""
_LONGEST_NAME = 200
_NAMED = 12
"""The maximum number of metrics in a message."""


@dataclass(slots=True, eq=False)
class _Watched:
    """A run."""

    id: str
    folder: Path
    root: Path
    files: list[Followed] = field(default_factory=list)
    series: RunSeries = field(default_factory=RunSeries)
    placing: Placing = field(default_factory=Placing)
    settings: Mapping[str, Scalar] = field(default_factory=dict)
    progress: int = -1
    """The step of the checkpoint's state that is followed."""
    ranked: tuple[object, ...] = ()
    value: tuple[float, float] | None = None
    """(length, best value)."""
    latest: float | None = None
    shown: tuple[tuple[object, ...], Run] | None = None
    """The run as it is shown, with the values that this depends on."""

    @property
    def grew_at(self) -> float:
        return max((file.grew_at for file in self.files), default=0.0)

    @property
    def exit_code(self) -> int | None:
        """How it ended; None if no file says it."""
        return next((f.exit_code for f in self.files if f.exit_code is not None), None)


class WatchReader:
    """Follows all runs below some folders. `snapshot` is for one thread; `output` and `settings` may be called from another."""

    def __init__(
        self, paths: Sequence[Path], metric: str = "", goal: Literal["max", "min"] | None = None
    ) -> None:
        """Follow the runs below `paths`; rank them by a metric, by default the first usual one found."""
        self.directory = (
            paths[0]
            if len(paths) == 1
            else Path(os.path.commonpath([os.path.abspath(p) for p in paths]))
        )
        self._several = len(paths) > 1
        self._tree = Tree(tuple(dict.fromkeys(paths)))
        self._asked = (metric, goal)
        self._metric: tuple[str, Literal["max", "min"]] = ("", "max")
        self._runs: dict[str, _Watched] = {}
        self._names: dict[tuple[Path, str], str] = {}
        """The id of each run by its root and its path."""
        self._reading: deque[tuple[_Watched, Followed]] = deque()
        """Files with unread data, the next one first."""
        self._warm: deque[tuple[_Watched, Followed]] = deque()
        """Recently written files, which are checked first."""
        self._idle: deque[tuple[_Watched, Followed]] = deque()
        """All other files."""
        self._settings: dict[Path, dict[str, Scalar]] = {}
        """The settings in each folder."""
        self._below: dict[Path, set[_Watched]] = {}
        """The runs to which the settings of a folder apply."""
        self._stale: dict[_Watched, None] = {}
        """Runs whose settings must be read, the next one first."""
        self._looks = 0
        self._columns: list[str] = []
        """The settings that vary."""
        self._varied = False
        """Whether settings have changed since `_columns` was found."""
        self._rank_at = 0.0
        """When to rank again while files are being read (monotonic seconds)."""
        self._sweep = Sweep()
        self._shown: tuple[object, ...] = ()
        self._standings: list[Standing] = []
        self._series: Mapping[str, RunSeries] = MappingProxyType({})
        self._gone = 0
        self._beyond = 0
        """Runs beyond MOST_RUNS."""

    # ------------------------------------------------ the interface of DirectoryReader

    def snapshot(self, budget_seconds: float = 0.1) -> Snapshot:
        """Return the current snapshot, finding and reading files for about `budget_seconds`; never raises."""
        began = time.monotonic()
        self._looks += 1
        if (
            self._reading and self._looks > _FIRST_LOOKS
        ):  # fewer pictures, since each takes time from reading
            budget_seconds = max(budget_seconds, _LONG_LOOK_SECONDS)
        deadline = began + budget_seconds
        files = self._tree.look(began + budget_seconds / 2)
        for found in files:
            self._add(found)
        if files:
            self._series = MappingProxyType({run.id: run.series for run in self._runs.values()})
        if not self._reading:
            self._check(min(deadline, time.monotonic() + _CHECK_SECONDS))
        self._settle(time.monotonic() + budget_seconds / 4)
        self._read(deadline)
        reading = bool(self._reading or self._stale) or self._tree.more
        if not reading or time.monotonic() >= self._rank_at:
            self._rank()
        return Snapshot(
            directory=self.directory,
            sweep=self._sweep,
            series=self._series,
            standings=self._standings,
            gpus=(),
            supervisor="none",
            view_only=VIEW_ONLY,
            reading=reading,
            journal_bad=0,
            problem=self._problem(reading=reading),
            read_at=time.time(),
            read=self._share() if reading else 1.0,
            watched=Watched(notes=tuple(self._notes())),
        )

    def output(self, run_id: str, lines: int = 200) -> list[str]:
        """Return a run's files with their sizes, and why one is not read."""
        run = self._runs.get(run_id)
        if run is None:
            return []
        said = []
        for file in run.files:
            where = clean(os.path.relpath(file.path, self.directory), 300)
            said.append(f"{where}  {size(file.size)}, {count(file.rows, 'row')}")
            if file.why:
                said.append(f"  {clean(file.why, 300)}")
        return said[:lines]

    def settings(self, run_id: str) -> dict[str, str]:
        """Return what a run was started with, flat and safe to show."""
        run = self._runs.get(run_id)
        if run is None:
            return {}
        return {NAME: run.id} | {name: _shown(value) for name, value in run.settings.items()}

    def workers(self) -> dict[str, tuple[int, int]]:
        """Return no process: none is known."""
        return {}

    # ------------------------------------------------ files

    def _add(self, found: Found) -> None:
        """Follow a file that was found."""
        place = place_of(found.relative, found.beside)
        key = (found.root, place.run)
        if key not in self._names:
            if len(self._runs) >= MOST_RUNS:
                self._beyond += 1
                return
            self._names[key] = self._name(found.root, place.run)
            run = _Watched(self._names[key], found.root / place.folder, found.root)
            self._runs[run.id] = run
            self._stale[run] = None
        run = self._runs[self._names[key]]
        if place.progress is not None:
            if place.progress <= run.progress:
                return
            run.progress = place.progress
            run.files.clear()  # an earlier checkpoint's history is the beginning of this one's
        file = Followed(found.path, place.prefix)
        run.files.append(file)
        self._look(run, file)

    def _name(self, root: Path, path: str) -> str:
        """Return a run's id: its path, safe to show and unique."""
        inside = path or ("" if self._several else root.resolve().name)
        name = "/".join(part for part in (str(root) if self._several else "", inside) if part)
        name = clean(name or ".", 8 * _LONGEST_NAME)[-_LONGEST_NAME:]
        unique, number = name, 1
        while unique in self._runs:
            number += 1
            unique = f"{name} ({number})"
        return unique

    def _check(self, deadline: float) -> None:
        """Check which files were written, recent ones first, as many as there is time for; the rest comes first the next time."""
        for files, share in ((self._warm, 0.8), (self._idle, 1.0)):
            now = time.monotonic()
            end = now + (deadline - now) * share
            for _ in range(len(files)):
                if time.monotonic() >= end:
                    break
                run, file = files.popleft()
                if file in run.files:
                    self._look(run, file)

    def _look(self, run: _Watched, file: Followed) -> None:
        changed = file.changed()
        if changed is None:
            self._lose(run, file)
        elif changed:
            self._reading.append((run, file))
        else:
            warm = time.time() - file.grew_at < _WARM_SECONDS
            (self._warm if warm else self._idle).append((run, file))

    def _lose(self, run: _Watched, file: Followed) -> None:
        """Keep what a deleted file had said, and treat it as new if it reappears."""
        run.files.remove(file)
        self._tree.forget(file.path)
        self._gone += 1

    def _read(self, deadline: float) -> None:
        """Give each file a slice in turn until all is read or the time is up."""
        while self._reading:
            run, file = self._reading.popleft()
            if file not in run.files:
                continue
            known = len(file.settings)
            rows = file.read()
            if len(file.settings) != known:
                self._stale[run] = None
            if file.anew:
                self._begin_anew(run, file)
            placed = run.placing.place(rows, file.prefix, file.at)
            if placed:
                file.at = placed[-1].level
                run.series.extend(1, placed)
            (self._reading if file.more else self._warm).append((run, file))
            if time.monotonic() >= deadline:
                return

    def _begin_anew(self, run: _Watched, written: Followed) -> None:
        """Forget a run's measurements, because one of its files was rewritten with a different history; its other files are read again."""
        version = run.series.version + 1
        run.series = RunSeries()
        run.series.version = version
        run.placing = Placing()
        written.at = 0.0
        for place, file in enumerate(run.files):
            if file is not written:
                run.files[place] = Followed(file.path, file.prefix)
                self._look(run, run.files[place])
        self._series = MappingProxyType({**self._series, run.id: run.series})

    def _share(self) -> float:
        """Return the share of the files that was read."""
        files = [file for run in self._runs.values() for file in run.files]
        return sum(f.read_bytes for f in files) / max(1, sum(f.size for f in files))

    def _settle(self, deadline: float) -> None:
        """Read the settings of new runs, and of those whose settings may have changed."""
        touched, self._tree.touched = self._tree.touched, set()
        for folder in touched:
            self._settings.pop(folder, None)
            self._stale.update(dict.fromkeys(self._below.get(folder, ())))
        changed = False
        while self._stale:
            run = next(iter(self._stale))
            del self._stale[run]
            found: dict[str, Scalar] = {}
            for folder in above(run.folder, run.root):
                found |= self._settings_in(folder)
                self._below.setdefault(folder, set()).add(run)
            for file in run.files:
                flatten("", file.settings, found)
            if found != run.settings:
                run.settings, changed = found, True
            if time.monotonic() >= deadline:
                break
        self._varied = self._varied or changed

    def _settings_in(self, folder: Path) -> dict[str, Scalar]:
        if folder not in self._tree.configured:
            return {}
        if folder not in self._settings:
            self._settings[folder] = settings_in(folder)
        return self._settings[folder]

    # ------------------------------------------------ the picture

    def _rank(self) -> None:
        """Rebuild plan, runs and standings if anything that they show has changed."""
        began = time.monotonic()
        now = time.time()
        if self._varied:
            self._varied = False
            columns = varying(run.settings for run in self._runs.values())
            self._columns = columns if columns != self._columns else self._columns
        alive = frozenset(run.id for run in self._runs.values() if now - run.grew_at < LIVE_SECONDS)
        state = (alive, tuple(self._columns), *(run.series.version for run in self._runs.values()))
        if state == self._shown and self._sweep.plan is not None:
            return
        self._shown = state
        measured = [run for run in self._runs.values() if len(run.series)]
        self._choose(measured)
        runs = {run.id: self._run(run, alive=run.id in alive) for run in measured}
        self._sweep = Sweep(
            plan=self._plan(measured), runs=MappingProxyType(runs), n=self._sweep.n + 1, at=now
        )
        self._standings = self._order(measured, runs)
        self._rank_at = time.monotonic() + _PATIENCE * (time.monotonic() - began)

    def _choose(self, runs: Sequence[_Watched]) -> None:
        """Choose the metric to rank by, unless the user named one."""
        metric, goal = self._asked
        names = Counter(name for run in runs for name in run.series.names())
        if not metric:
            self._metric = deciding(names, len(runs)) or self._metric
        else:
            self._metric = metric, goal or goal_of(metric) or "max"

    def _plan(self, runs: Sequence[_Watched]) -> Plan:
        units: Counter[Unit] = Counter(run.placing.unit for run in runs if run.placing.unit)
        metric, goal = self._metric
        losses = [
            name
            for run in runs[:1]
            for name in run.series.names()
            if "loss" in name.lower() and name != metric
        ]
        return Plan(
            name=clean(self.directory.resolve().name, 60),
            source=str(self.directory),
            metric=metric,
            goal=goal,
            loss=min(losses, key=len, default=metric),
            unit=units.most_common(1)[0][0] if units else "step",
            horizon=max((run.series.level for run in runs), default=0.0),
            value="best",
            builtin=False,
        )

    def _run(self, run: _Watched, *, alive: bool) -> Run:
        code = run.exit_code
        depends = (alive, code, id(run.settings), id(self._columns))
        if run.shown is None or run.shown[0] != depends:
            ending = None
            if code is not None:
                why = f"exit code {code}" if code else ""
                kind: EndingKind = "failed" if code else "finished"
                ending = Ending(kind, code, signal=None, at=run.grew_at, why=why)
            state = State.RUNNING if alive and ending is None else State.ENDED
            setting = self._setting(run)
            run.shown = (depends, Run(run.id, setting, 0, "user", state, math.inf, ending=ending))
        return run.shown[1]

    def _setting(self, run: _Watched) -> Setting:
        """Return a run's name and its varying settings."""
        rate = learning_rate(run.settings)
        values: dict[str, Scalar] = {NAME: run.id}
        for name in self._columns:
            if name in run.settings and not (rate and name == rate[0]):
                values[name] = run.settings[name]
        return Setting(lr=rate[1] if rate else 0.0, values=values)

    def _order(self, runs: Sequence[_Watched], shown: Mapping[str, Run]) -> list[Standing]:
        metric, goal = self._metric
        for run in runs:
            state = (metric, goal, run.series.version)
            if run.ranked != state:
                run.ranked = state
                run.value = run.series.best(metric, goal)
                last = run.series.last(metric)
                run.latest = last[1] if last else None

        def cost(run: _Watched) -> tuple[bool, float, str]:
            if run.value is None:
                return True, 0.0, run.id
            return False, -run.value[1] if goal == "max" else run.value[1], run.id

        ordered = sorted(runs, key=cost)
        return [self._standing(rank, run, shown[run.id]) for rank, run in enumerate(ordered, 1)]

    def _standing(self, rank: int, run: _Watched, shown: Run) -> Standing:
        at, value = run.value or (None, None)
        unit = self._sweep.plan.unit if self._sweep.plan else "step"
        own = run.placing.unit
        units = f"its length is in {own}s" if own not in {None, unit} else ""
        ended = shown.ending.why if shown.ending is not None else ""
        return Standing(
            rank=rank,
            runs=(run.id,),
            setting=shown.setting,
            lr=shown.setting.lr,
            state=shown_state(shown),
            level=run.series.level,
            horizon=0.0,
            value=value,
            value_at=at,
            latest=run.latest,
            best=value,
            best_at=at,
            mean=value,
            se=None,
            seeds=1,
            val_loss=None,
            eta=None,
            rate=run.series.rate() if shown.alive else None,
            why="; ".join(part for part in (ended, units) if part),
        )

    def _problem(self, *, reading: bool) -> str:
        if not any(os.path.isdir(root) for root in self._tree.roots):
            return "the watched folder is gone"
        if reading:
            return ""
        if not self._standings:
            return "no run with metrics here yet; new files are found as they appear"
        if all(row.value is None for row in self._standings):
            names = dict.fromkeys(n for run in self._runs.values() for n in run.series.names())
            known = ", ".join(list(names)[:_NAMED])
            return clean(f"no run has {self._metric[0]}; there are {known}", 300)
        return ""

    def _notes(self) -> list[str]:
        """Return what is not shown, and why."""
        tree = self._tree
        notes = []
        if tree.experiments:
            first = clean(str(tree.experiments[0]))
            more = f", and {len(tree.experiments) - 1} more" if len(tree.experiments) > 1 else ""
            notes.append(f"an experiment of lrtui's own: lrtui {first}{more}")
        if tree.unreadable:
            where, why = next(iter(tree.unreadable.items()))
            notes.append(
                f"{count(len(tree.unreadable), 'folder')} not readable ({clean(where, 60)}: {why})"
            )
        if tree.links:
            notes.append(f"{count(tree.links, 'linked folder')} not followed")
        if tree.left_out or self._beyond:
            notes.append(f"{tree.left_out + self._beyond} more files left out")
        unread = [f for run in self._runs.values() for f in run.files if f.why not in {"", NO_LOG}]
        if unread:
            where = clean(os.path.relpath(unread[0].path, self.directory), 60)
            many = count(len(unread), "file")
            notes.append(f"{many} not read to the end ({where}: {clean(unread[0].why, 80)})")
        if self._gone:
            notes.append(f"{count(self._gone, 'file')} deleted")
        return notes


def _shown(value: Scalar) -> str:
    return lr_text(value) if isinstance(value, float) and 0 < value < 0.1 else str(value)
