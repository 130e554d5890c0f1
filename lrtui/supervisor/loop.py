"""The supervisor's loop. Each tick reaps, reads, judges, handles commands, signals stops, decides, launches and closes.

The order matters. Stops are signalled in the tick that handled their command. Every change is an event, durable before its effect:
RunLaunched before the fork, RunStopping before the signal. What is kept only in memory (clocks, open logs) may be lost at any
moment: a new supervisor adopts living attempts, handles the inbox, completes open stops and pauses, and only then launches.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from pathlib import Path

from lrtui.config import Experiment
from lrtui.config.directory import Origin, read_experiment
from lrtui.hardware import gpu
from lrtui.search import predicted_level
from lrtui.supervisor import gpu_memory_watch, slots
from lrtui.supervisor.alerts import AlertSender
from lrtui.supervisor.auto_parallel import AutoParallel, Pace
from lrtui.supervisor.budget import halted, overspent, steady_clock
from lrtui.supervisor.circuit_breaker import CircuitBreaker
from lrtui.supervisor.command_queue import CommandQueue
from lrtui.supervisor.commands import with_ids
from lrtui.supervisor.health_check import judged
from lrtui.supervisor.launch_queue import LaunchQueue
from lrtui.supervisor.outcome import after_loss, conclude, exit_code, verdict_event
from lrtui.supervisor.ownership import is_ours, opened
from lrtui.supervisor.preparation import Preparation
from lrtui.supervisor.progress_tracker import ProgressTracker
from lrtui.supervisor.termination import Termination, at_rung
from lrtui.sweep import events as ev
from lrtui.sweep.events import AnyEvent
from lrtui.sweep.files import seconds_unchanged
from lrtui.sweep.journal import JournalTail
from lrtui.sweep.journal_writer import Journal
from lrtui.sweep.layout import AttemptLayout, Layout
from lrtui.sweep.state import Run, State, Sweep
from lrtui.sweep.timing import TIMING
from lrtui.workers.launcher import Alive, Exited, Unclaimed, Vanished
from lrtui.workers.launchers import launcher_for

log = logging.getLogger("lrtui.supervisor")


class Supervisor:
    """Owns the runs of one directory, whose lock the caller holds."""

    def __init__(self, directory: Path, experiment: Experiment, origin: Origin) -> None:
        self.layout = Layout(directory)
        self.experiment = experiment
        self.origin = origin
        self.space = experiment.space()
        self.journal = Journal(self.layout.journal)
        self.launcher = launcher_for(directory, experiment.launcher)
        self.preparation = Preparation(self.layout, experiment, origin, self.launcher)
        self.launching = LaunchQueue(
            self.layout,
            self.journal,
            experiment=experiment,
            origin=origin,
            launcher=self.launcher,
            warn=self.warn,
        )
        self.readings = ProgressTracker(self.layout, self.journal)
        self.stops = Termination(self._send, self.warn, self._unchanged)
        self.brake = CircuitBreaker()
        self.command_queue = CommandQueue(self.layout, self.journal, self._send, self.brake.forgive)
        self._exit_files: dict[tuple[str, int], str] = {}
        self._packing = AutoParallel(settled=experiment.parallel != "auto")
        self._shortage = gpu_memory_watch.GpuMemoryWatch()
        self._machine_due = 0.0
        self._adopting = True
        self._beat_at = 0.0
        self._frozen_at = os.stat(self.layout.experiment).st_mtime_ns
        self._looked_at = 0.0
        self._close_look = True
        self._decided_n = -1
        self._alerting = AlertSender(experiment.alerts, self.layout.root, origin.cwd)
        self._clock = steady_clock()
        if experiment.alerts:  # alerts that an earlier supervisor may not have sent
            self.journal.fresh += JournalTail(self.layout.journal).rest()

    @property
    def sweep(self) -> Sweep:
        """The present."""
        return self.journal.sweep

    def append(self, *events: AnyEvent) -> None:
        """Write events durably; their effects may be carried out once this returns."""
        self.journal.append(*events)

    def may_own(self, *, takeover: bool) -> bool:
        """Return whether this is the directory that was opened, on its host; with `takeover` make it so.

        The original's runs belong to its own supervisor: runs that the copy's journal calls alive are lost in the copy.
        """
        if is_ours(self.sweep, self.layout):
            return True
        if takeover:
            self.append(opened(self.layout, self._plan()))
            for run in self.sweep.alive():
                self._finish(run, Vanished())
        return takeover

    def open(self, plan: ev.Plan) -> None:
        """Begin the sweep, or continue it after a crash; a closed sweep stays closed until a command reopens it."""
        if self.sweep.plan is None:
            self.append(opened(self.layout, plan))
            for note in plan.notes:
                self.warn(note)
        if self.journal.bad:
            self.warn(
                f"journal.jsonl has {self.journal.bad} damaged line(s): {self.journal.bad_why}"
            )
        self.launcher.adopt({self._root(run) for run in self.sweep.alive()})
        for run in self.sweep.alive():
            if run.state is State.FROZEN:
                self._send(run, signal.SIGSTOP)
            elif run.state is State.RUNNING:
                self._send(run, signal.SIGCONT)

    def tick(self) -> None:
        """Do everything that is due, once."""
        self._touch_beat()
        self._take_launcher()
        self._close_look = self._is_due()
        self._reap()
        self._read()
        self._judge()
        self._stop_at_rung()
        self._watch_budget()
        self._pack()
        self._watch_machine()
        self.command_queue.tick()
        self.stops.tick(self.sweep)
        self._adopting = False
        self._decide()
        self.launching.tick()
        for text in self.launcher.tick(self.sweep.parallel):
            self.warn(text)
        self._close()
        self._alert()

    def _take_launcher(self) -> None:
        """Use an edited [launcher] section for further cluster jobs, before a command asks for any; no other section can be edited."""
        if not self.launcher.remote:
            return
        changed = os.stat(self.layout.experiment).st_mtime_ns
        if changed != self._frozen_at:
            self._frozen_at = changed
            for text in self.launcher.change(read_experiment(self.layout.root).launcher):
                self.warn(text)

    # ── reap ──────────────────────────────────────────────────────────────────────────────────────

    def _reap(self) -> None:
        if self.launcher.remote and not self._close_look:
            return
        quiet = self.launcher.quiet
        runs = [run for run in self.sweep.alive() if run.attempts[-1].token not in quiet]
        self.append(*(event for run in runs for event in self._reap_run(run)))

    def _reap_run(self, run: Run) -> list[AnyEvent]:
        """Finish an ended attempt; return the events of a living one."""
        attempt = run.attempts[-1]
        key = run.attempt_key
        exit_file = self._exit_files.get(key, "")
        if not self._close_look and attempt.pid and not os.path.exists(exit_file):
            return []
        root = self._root(run)
        if not self.launcher.remote:
            self._exit_files[key] = str(AttemptLayout(root).exit)
        condition = self.launcher.condition(root, attempt.token)
        match condition:
            case Unclaimed():
                if not self.launching.again(run):
                    self._finish(run, Vanished())
            case Alive(pid=pid, orphans=orphans, waits=waits):
                number = attempt.number
                if orphans:
                    self.stops.kill(run)
                elif pid is not None and self._adopting:
                    return [ev.RunAdopted(run=run.id, attempt=number, pid=pid)]
                elif pid is not None and attempt.pid is None:
                    return [ev.RunStarted(run=run.id, attempt=number, pid=pid)]
                elif waits and waits != run.why and run.state is State.STARTING:
                    return [ev.RunHeld(run=run.id, attempt=number, why=waits)]
            case Exited() | Vanished():
                self._finish(run, condition)
        return []

    def _finish(self, run: Run, condition: Exited | Vanished) -> None:
        progress = self.readings.at_end(run)
        root = self._root(run)
        beside = 0 if self.launcher.remote else slots.beside(self.sweep, run, time.time())
        events = conclude(run, condition, progress, AttemptLayout(root), beside)
        losses = [event for event in events if isinstance(event, ev.RunLost)]
        tick = [each for lost in losses for each in after_loss(self.sweep, run, lost)]
        self.append(*events, *tick)
        for memory in (self.stops, self.readings, self.launching):
            memory.forget(run)
        self._exit_files.pop(run.attempt_key, None)
        self.append(*self.brake.after(self.sweep, self.sweep.runs[run.id], progress.lines))

    # ── read and judge ────────────────────────────────────────────────────────────────────────────

    def _read(self) -> None:
        """Read what the workers have measured."""
        if self._close_look:
            self.readings.tick()

    def _judge(self) -> None:
        """Apply the health rules."""
        if not self._close_look:
            return
        known = self.readings.known()
        signs = {run_id: progress.signs for run_id, progress in known.items()}
        now = time.monotonic()
        for run in self.sweep.alive():
            if run.id not in known:
                continue
            self.append(*judged(self.sweep, run, signs, now))
            below = known[run.id].began_below
            if below and "resume" not in {rule for rule, _ in run.flags}:
                number = len(run.attempts)
                self.append(ev.RunFlagged(run=run.id, attempt=number, rule="resume", why=below))
            misread = known[run.id].misread
            if misread and "output" not in {rule for rule, _ in run.flags}:
                number = len(run.attempts)
                self.append(ev.RunFlagged(run=run.id, attempt=number, rule="output", why=misread))

    def _stop_at_rung(self) -> None:
        """Pause attempts at the length that they were started for, if their script does not stop there itself."""
        if not self._plan().stops_at_until:
            self.append(*at_rung(self.sweep, lambda run: self.readings.of(run).comparable))

    def _watch_budget(self) -> None:
        if not self._close_look or self.sweep.closed is not None:
            return
        running = sum(
            self.readings.of(run).spent for run in self.sweep.alive() if run.attempts[-1].pid
        )
        why = overspent(self.sweep, running, self._clock())
        if why is not None:
            self.append(*halted(self.sweep, running, why))

    def _pack(self) -> None:
        """Raise the number of runs at once while that increases throughput."""
        if not self._close_look or self._packing.settled or not self._plan().devices:
            return
        paces = {
            run_id: Pace(progress.level, progress.lines)
            for run_id, progress in self.readings.known().items()
        }
        self.append(*self._packing.tick(self.sweep, paces, gpu.read(), time.monotonic()))

    def _watch_machine(self) -> None:
        """Warn about nearly full GPU memory."""
        now = time.monotonic()
        if not self._close_look or now < self._machine_due or not self.sweep.alive():
            return
        self._machine_due = now + gpu_memory_watch.EVERY_SECONDS
        self.launching.has_room()
        if self._plan().devices:
            self.append(*self._shortage.tick(self.sweep, gpu.read()))

    # ── decide and close ──────────────────────────────────────────────────────────────────────────

    def _decide(self) -> None:
        if self.sweep.closed is not None or not self._data_ready():
            return
        if self.sweep.n == self._decided_n:
            return  # a strategy sees only the sweep
        self._decided_n = self.sweep.n
        if self.sweep.brake is None:
            decisions = self.experiment.strategy.decide(self.sweep, self.space)
            decisions = decisions or predicted_level.decide(self.sweep, self.space)
            self.append(*with_ids(decisions, self.sweep))

    def _data_ready(self) -> bool:
        """Return whether the data is prepared; if not, begin or follow its preparation."""
        if not self.preparation.missing(self.sweep):
            return True
        self.append(*self.preparation.tick(self.sweep))
        return False

    def _close(self) -> None:
        sweep = self.sweep
        if sweep.closed is not None or sweep.alive() or self.preparation.alive(sweep):
            return
        open_states = (State.QUEUED, State.PAUSED, State.WAITING)
        unfinished = any(run.state in open_states for run in sweep.runs.values())
        failed = self.preparation.failure
        if failed is not None:
            self.append(ev.SweepClosed(code=failed.code, why=failed.why))
            self.launcher.unload()
        elif sweep.brake is not None or (sweep.runs and not unfinished):
            found = verdict_event(sweep)
            self.append(found, exit_code(sweep, found))
        self.preparation.failure = None

    def _alert(self) -> None:
        """Send alerts for the events since the last tick, after journalling that they are sent."""
        messages = self._alerting.due(self.sweep, self.journal.fresh)
        self.journal.fresh.clear()
        if messages:
            self.append(ev.Alerted(of=self.sweep.n))
        self._alerting.notify(messages)

    # ── small things ──────────────────────────────────────────────────────────────────────────────

    def warn(self, text: str, run: str | None = None) -> None:
        """Put a warning into the journal and the log."""
        log.warning("%s%s", f"{run}: " if run else "", text)
        self.append(ev.Warned(text=text, run=run))

    def _plan(self) -> ev.Plan:
        plan = self.sweep.plan
        assert plan is not None, "open() comes first"  # noqa: S101  # a bug in lrtui
        return plan

    def _root(self, run: Run) -> Path:
        return self.layout.attempt(run.folder, run.attempts[-1].number)

    def _send(self, run: Run, number: int) -> None:
        self.launcher.send(self._root(run), run.attempts[-1].token, number)

    def _unchanged(self, run: Run) -> float:
        return seconds_unchanged(AttemptLayout(self._root(run)).checkpoint)

    def _is_due(self) -> bool:
        now = time.monotonic()
        every = TIMING.far_look if self.launcher.remote else TIMING.close_look
        if self._adopting or now - self._looked_at >= every:
            self._looked_at = now
            return True
        return False

    def _touch_beat(self) -> None:
        now = time.monotonic()
        if now - self._beat_at >= TIMING.beat:
            self._beat_at = now
            self.layout.beat.touch(mode=0o600)
