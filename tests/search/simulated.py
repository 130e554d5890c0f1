"""A sweep without processes: the supervisor's own path from decisions to events, with runs that are looked up in a table."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from lrtui.search import Space, Strategy
from lrtui.supervisor.commands import with_ids
from lrtui.sweep import events as ev
from lrtui.sweep.state import Run, State, Sweep, apply

Measure = Callable[[ev.Setting, int, float], tuple[float | None, ...] | None]
"""(setting, seed, level) -> (value, val loss) of the evaluation there, and the training loss where that is all; None for nothing."""


@dataclass
class Simulation:
    """One sweep, as it would be on a machine where nothing goes wrong."""

    strategy: Strategy
    space: Space
    measure: Measure
    ranged: Callable[[Run], ev.RangeTested] | None = None
    goal: str = "max"
    unit: str = "epoch"
    range_cost: float = 0.0
    val_images: int = 0
    classes: int = 10
    """0: not known, as of a language model."""
    dies: Callable[[Run, float], str | None] = lambda run, level: None
    """What a run ends as before it has come to a level, if it does."""
    curve: Callable[[ev.Setting, int, float], tuple[tuple[float, float], ...]] = (
        lambda setting, seed, level: ()
    )
    """(setting, seed, level) -> (level, value) of the evaluations up to there; not of pilots, which are known by their end."""
    resumes: bool = True
    order: random.Random = field(default_factory=lambda: random.Random(0))
    parallel: int = 2
    piloted: Measure | None = None
    """The same of pilots; None: a pilot measures what a full run does at its length."""
    sweep: Sweep = field(default_factory=Sweep)
    events: list = field(default_factory=list)

    def say(self, *events: ev.Event) -> None:
        for event in events:
            numbered = ev.decode_event(ev.encode(msg(event, self.sweep.n + 1)))
            self.events.append(numbered)
            self.sweep = apply(self.sweep, numbered)

    def open(self) -> None:
        plan = ev.Plan(
            name="simulated", source="", metric="val_acc" if self.goal == "max" else "val_loss",
            goal=self.goal, loss="train_loss", unit=self.unit, horizon=self.space.horizon, keep="1/3",
            rungs=tuple(self.space.rungs.items()), axes=self.space.axes, seeds=self.space.seeds, parallel=self.parallel,
        )  # fmt: skip
        self.say(ev.SweepOpened(plan=plan))
        self.say(ev.DataPrepared(dataset="simulated", val=self.val_images, classes=self.classes))

    def run(self, most: int = 2000) -> Sweep:
        """Go on until the strategy wants nothing more and nobody trains."""
        if self.sweep.plan is None:
            self.open()
        for _ in range(most):
            if not self.step():
                return self.sweep
        raise AssertionError("it does not come to an end")

    def step(self) -> bool:
        """Decide, launch, let one run end; False when all is done."""
        decided = with_ids(self.strategy.decide(self.sweep, self.space), self.sweep)
        self.say(*decided)
        for run in self.sweep.queued()[: self.parallel - len(self.sweep.alive())]:
            number = len(run.attempts) + 1
            resumed = number - 1 if run.resume and self.resumes and number > 1 else None
            self.say(
                ev.RunLaunched(
                    run=run.id, attempt=number, token="t", until=run.until, resumed_from=resumed
                )
            )
            self.say(ev.RunStarted(run=run.id, attempt=number, pid=1))
        alive = self.sweep.alive()
        if alive:
            self.say(*self._end(self.order.choice(alive)))
        return bool(alive or decided)

    def _end(self, run: Run) -> list:
        attempt = run.attempts[-1]
        number, until = attempt.number, attempt.until
        if run.is_range_test:
            assert self.ranged is not None
            return [
                ev.RunCharged(run=run.id, attempt=number, spent=self.range_cost),
                self.ranged(run),
                ev.RunEnded(run=run.id, attempt=number, kind="finished", code=0),
            ]
        began = max((r.level for r in run.reached), default=0.0) if attempt.resumed_from else 0.0
        charged = ev.RunCharged(run=run.id, attempt=number, spent=until - began)
        kind = self.dies(run, until)
        if kind is not None:
            return [charged, ev.RunEnded(run=run.id, attempt=number, kind=kind, why="simulated")]
        measure = self.piloted if run.pilot and self.piloted else self.measure
        measured = measure(run.setting, run.seed, until)
        reached = [
            ev.RunReached(
                run=run.id, attempt=number, level=until, value=measured[0], val_loss=measured[1],
                loss=measured[2] if len(measured) > 2 else None,
                curve=() if run.pilot and self.piloted else self.curve(run.setting, run.seed, until),
            )
        ] if measured else []  # fmt: skip
        if until < self.space.horizon:
            return [charged, *reached, ev.RunWaiting(run=run.id)]
        ended = ev.RunEnded(run=run.id, attempt=number, kind="finished", code=0)
        return [charged, *reached, ended]


def msg(event: ev.Event, n: int) -> ev.Event:
    import msgspec

    return msgspec.structs.replace(event, v=ev.VERSION, n=n, at=float(n))


def ended(sweep: Sweep) -> dict[float, str]:
    """Return how the first seed of each LR ended."""
    return {
        run.setting.lr: run.ending.kind if run.state is State.ENDED else str(run.state)
        for run in sweep.trained()
        if run.seed == 0
    }
