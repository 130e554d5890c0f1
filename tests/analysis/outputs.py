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
from lrtui.workers.launcher import Exited


class PrintedSweep:
    """Runs that end with exit code 0, one after the other."""

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

    def run(self, lr: float, output: str, *, seed: int = 0, until: float | None = None) -> None:
        """Add a run that was started for `until` (the horizon) and printed this."""
        until = until or self.plan.horizon
        name = f"r{len(self.series) + 1:02}"
        folder = self.root / name
        folder.mkdir(parents=True)
        AttemptLayout(folder).output.write_text(output, newline="")
        self.say(
            ev.RunQueued(run=name, setting=ev.Setting(lr=lr), seed=seed, until=until),
            ev.RunLaunched(run=name, attempt=1, token="t", until=until),
            ev.RunStarted(run=name, attempt=1, pid=1),
        )
        run = self.sweep.runs[name]
        progress = Progress(folder, self.plan, run, run.attempts[-1], None)
        progress.read_all()
        self.say(*conclude(run, Exited(0, None), progress, AttemptLayout(folder)))
        self.series[name] = RunSeries()
        lines = list(MetricLog(folder, Reading.of(self.plan)).poll(1 << 20))
        self.series[name].extend(1, lines)
