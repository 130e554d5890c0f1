"""A sweep from what its scripts print: read and concluded by the supervisor's own code, without a process."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lrtui.metrics import MetricLog, Reading, RunSeries
from lrtui.supervisor.outcome import conclude
from lrtui.supervisor.progress import Progress
from lrtui.sweep import events as ev
from lrtui.sweep.layout import AttemptLayout
from lrtui.sweep.state import Sweep, apply
from lrtui.workers.launcher import Exited, Vanished


class PrintedSweep:
    """Runs, one after the other; the end of each is concluded when it is added."""

    def __init__(self, root: Path, plan: ev.Plan) -> None:
        self.root, self.plan = root, plan
        self.sweep = Sweep()
        self.series: dict[str, RunSeries] = {}
        """What the front ends read, by run."""
        self.say(ev.SweepOpened(plan=plan))

    def say(self, *events: ev.AnyEvent) -> None:
        for event in events:
            n = self.sweep.n + 1
            numbered = msgspec.structs.replace(event, v=ev.VERSION, n=n, at=float(n))
            self.sweep = apply(self.sweep, ev.decode_event(ev.encode(numbered)))
        assert self.sweep.strange == 0

    def run(
        self,
        lr: float,
        output: str,
        *,
        seed: int = 0,
        until: float | None = None,
        again: bool = False,
        paused: bool = False,
        code: int = 0,
        ending: Vanished | None = None,
        checkpoint: bool = False,
        values: dict[str, ev.Scalar] | None = None,
    ) -> None:
        """Add a run that was started for `until` (the horizon) and printed this, or go on with the last one."""
        until = until or self.plan.horizon
        name = f"r{len(self.series) + (not again):02}"
        number = len(self.sweep.runs[name].attempts) + 1 if again else 1
        folder = self.root / name / str(number)
        folder.mkdir(parents=True)
        AttemptLayout(folder).output.write_text(output, newline="")
        if checkpoint:
            AttemptLayout(folder).checkpoint.touch()
        if again:
            self.say(ev.RunPromoted(run=name, until=until))
        else:
            setting = ev.Setting(lr=lr, values=values or {})
            self.say(ev.RunQueued(run=name, setting=setting, seed=seed, until=until))
        resumed = number - 1 if again else None
        self.say(
            ev.RunLaunched(run=name, attempt=number, token="t", until=until, resumed_from=resumed),
            ev.RunStarted(run=name, attempt=number, pid=1),
        )
        run = self.sweep.runs[name]
        progress = Progress(folder, self.plan, run, run.attempts[-1], None)
        progress.read_all()
        if paused:
            self.say(ev.RunPausing(run=name, attempt=number))
            run = self.sweep.runs[name]
        over = ending or Exited(code, None)
        self.say(*conclude(run, over, progress, AttemptLayout(folder)))
        lines = list(MetricLog(folder, Reading.of(self.plan)).poll(1 << 20))
        self.series.setdefault(name, RunSeries()).extend(number, lines)
