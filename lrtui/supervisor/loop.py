"""The supervisor's loop. Its order is its safety: reap, read, judge, obey, decide, launch, close.

Every change is an event, durable before its effect: RunLaunched before the fork, RunStopping before the signal. What is kept
in memory beside the sweep (clocks, open logs) may be lost at any moment: a revived supervisor completes open stops and
pauses, adopts, drains the inbox, and only then launches.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from lrtui import __version__, gpu
from lrtui import events as ev
from lrtui.events import Answer, AnyEvent
from lrtui.experiment import Experiment
from lrtui.journal import JournalTail
from lrtui.launchers import LAUNCHERS, Gone, Living, Over, Unclaimed
from lrtui.layout import AttemptLayout, Layout
from lrtui.opening import Origin
from lrtui.supervisor import commands, slots, starting
from lrtui.supervisor.alerting import Alerting
from lrtui.supervisor.budget import halted, overspent
from lrtui.supervisor.conclusion import (
    after_loss,
    conclude,
    exit_code,
    is_fast_failure,
    verdict_event,
)
from lrtui.supervisor.deciding import events_of
from lrtui.supervisor.inbox import Inbox, Letter
from lrtui.supervisor.journal import Journal
from lrtui.supervisor.judging import chance_in, judged
from lrtui.supervisor.packing import Pace, Packing
from lrtui.supervisor.preparation import Preparation
from lrtui.supervisor.progress import Progress
from lrtui.supervisor.stops import Stops
from lrtui.sweep import Run, State, Sweep
from lrtui.train import IMPORTS

log = logging.getLogger("lrtui.supervisor")

TICK_SECONDS = 0.1
BEAT_SECONDS = 2.0
CLOSE_LOOK_SECONDS = 0.5
"""Metrics are read, and processes looked for in /proc, this often; an exit.json is noticed every tick (0.7 % of a core became
0.3 % with two idle runs)."""
FAST_FAILURES = 3
LEAST_FREE_BYTES = 500 << 20
"""With less room on the disk nothing new is launched."""


class Supervisor:
    """Owns the runs of one directory, whose lock the caller holds."""

    def __init__(self, directory: Path, experiment: Experiment, origin: Origin) -> None:
        self.layout = Layout(directory)
        self.experiment = experiment
        self.origin = origin
        self.space = experiment.space()
        self.journal = Journal(self.layout.journal)
        self.inbox = Inbox(self.layout)
        self.launcher = LAUNCHERS[str(experiment.launcher.get("kind", "local"))]()
        self.preparation = Preparation(self.layout, experiment, origin, self.launcher)
        self._progress: dict[tuple[str, int], Progress] = {}
        self.stops = Stops(self._send, self.warn)
        self._retries: dict[tuple[str, int], int] = {}
        self._exit_files: dict[tuple[str, int], str] = {}
        self._fast_failures = 0
        self._packing = Packing(settled=experiment.parallel != "auto")
        self._adopting = True
        self._beat_at = 0.0
        self._looked_at = 0.0
        self._close_look = True
        self._decided_n = -1
        self._warned: set[str] = set()
        self._alerting = Alerting(experiment.alerts, self.layout.root, origin.cwd)
        self._clock = steady_clock()
        self._untold: list[AnyEvent] = []
        """Events since the last tick, at first those that an earlier supervisor may not have told; with [alerts] alone."""
        if experiment.alerts:
            self._untold += JournalTail(self.layout.journal).rest()

    @property
    def sweep(self) -> Sweep:
        """The present."""
        return self.journal.sweep

    def append(self, *events: AnyEvent) -> None:
        """Make events durable; what they allow may be done when this returns."""
        if events:
            before = self.sweep.n
            self.journal.append(*events)
            if self.experiment.alerts:
                numbered = enumerate(events, before + 1)
                self._untold += [msgspec.structs.replace(event, n=n) for n, event in numbered]

    def may_own(self, *, takeover: bool) -> bool:
        """Tell whether this is the directory that was opened, on its host; with `takeover` make it so.

        The runs of the original are not ours: what the copy's journal calls alive is lost to it.
        """
        here = (socket.gethostname(), os.stat(self.layout.root).st_ino)
        if self.sweep.plan is None or (self.sweep.host, self.sweep.inode) == here:
            return True
        if takeover:
            self.append(self._opened(self.sweep.plan))
            for run in self.sweep.alive():
                self._finish(run, Gone())
        return takeover

    def open(self, plan: ev.Plan) -> None:
        """Begin the sweep, or take it up again after a crash; a closed sweep stays closed until a command reopens it."""
        if self.sweep.plan is None:
            self.append(self._opened(plan))
        if self.journal.bad:
            self.warn(
                f"journal.jsonl has {self.journal.bad} damaged line(s): {self.journal.bad_why}"
            )
        for run in self.sweep.alive():
            if run.state is State.FROZEN:
                self._send(run, signal.SIGSTOP)
            elif run.state is State.RUNNING:
                self._send(run, signal.SIGCONT)

    def preload(self) -> None:
        """Have what the workers import imported once, while the data is prepared; only speed depends on it."""
        if not self.experiment.builtin or self.sweep.closed is not None:
            return
        try:
            shared = starting.device_environment((), self._plan().threads)
            self.launcher.preload(IMPORTS, shared)
        except OSError as error:
            log.warning("no preloaded process: %s", error)

    def tick(self) -> None:
        """Do once what there is to do."""
        self._touch_beat()
        self._close_look = self._is_due()
        self._reap()
        self._read()
        self._judge()
        self._stop_at_rung()
        self._watch_budget()
        self._pack()
        self.stops.further(self.sweep)
        self._obey()
        self._adopting = False
        self._decide()
        self._launch()
        self._close()
        self._alert()

    # ── reap ──────────────────────────────────────────────────────────────────────────────────────

    def _reap(self) -> None:
        for run in self.sweep.alive():
            self._reap_run(run)

    def _reap_run(self, run: Run) -> None:
        attempt = run.attempts[-1]
        key = (run.id, attempt.number)
        if (
            attempt.pid
            and not self._close_look
            and not os.path.exists(self._exit_files.get(key, ""))
        ):
            return
        root = self._root(run)
        self._exit_files[key] = str(AttemptLayout(root).exit)
        condition = self.launcher.look(root, attempt.token)
        match condition:
            case Unclaimed():
                self._repeat_launch(run)
            case Living(pid=pid, orphans=orphans):
                if orphans:
                    self.stops.kill(run)
                elif pid is not None and (attempt.pid is None or self._adopting):
                    self._seen(run, pid)
            case Over() | Gone():
                self._finish(run, condition)

    def _seen(self, run: Run, pid: int) -> None:
        number = run.attempts[-1].number
        if self._adopting:
            self.append(ev.RunAdopted(run=run.id, attempt=number, pid=pid))
        else:
            self.append(ev.RunStarted(run=run.id, attempt=number, pid=pid))

    def _finish(self, run: Run, condition: Over | Gone) -> None:
        progress = self._progress_of(run)
        progress.read_all()
        root = self._root(run)
        beside = slots.beside(self.sweep, run)
        events = conclude(run, condition, progress, AttemptLayout(root), beside)
        losses = [event for event in events if isinstance(event, ev.RunLost)]
        further = [each for lost in losses for each in after_loss(self.sweep, run, lost)]
        self.append(*events, *further)
        key = (run.id, run.attempts[-1].number)
        self.stops.forget(run)
        for memory in (self._progress, self._retries, self._exit_files):
            memory.pop(key, None)
        self._brake(is_fast_failure(self.sweep.runs[run.id], progress.lines))

    def _brake(self, fast_failure: bool | None) -> None:
        """Stop launching when the same thing fails again and again (None: the ending says nothing about it)."""
        if fast_failure is None:
            return
        self._fast_failures = self._fast_failures + 1 if fast_failure else 0
        if self._fast_failures >= FAST_FAILURES and self.sweep.brake is None:
            last = max(
                (r for r in self.sweep.runs.values() if r.ending),
                key=lambda r: r.ending.at,  # type: ignore[union-attr]
            )
            self.append(
                ev.BrakeSet(
                    on=True,
                    why=f"{FAST_FAILURES} runs in a row failed at once, the last with: {last.why}",
                )
            )

    # ── read and judge ────────────────────────────────────────────────────────────────────────────

    def _read(self) -> None:
        now = time.monotonic()
        for run in self.sweep.alive() if self._close_look else ():
            if run.attempts[-1].pid is not None:
                progress = self._progress_of(run)
                if progress.read():
                    progress.signs.hear(now)

    def _judge(self) -> None:
        """Let the health rules speak."""
        if not self._close_look:
            return
        known = {
            run.id: (run, self._progress.get((run.id, len(run.attempts))))
            for run in self.sweep.alive()
        }
        signs = {run_id: progress.signs for run_id, (_, progress) in known.items() if progress}
        now = time.monotonic()
        for run, progress in known.values():
            self.append(*judged(self.sweep, run, signs, now))
            below = progress.began_below if progress else None
            if below and "resume" not in {rule for rule, _ in run.flags}:
                number = len(run.attempts)
                self.append(ev.RunFlagged(run=run.id, attempt=number, rule="resume", why=below))

    def _stop_at_rung(self) -> None:
        """Stop the attempts of scripts that do not know where: when they have come to the length they were started for."""
        if self._plan().stops_at_until:
            return
        for run in self.sweep.alive():
            until = run.attempts[-1].until
            if run.state is not State.RUNNING or run.is_range_test or until >= self._plan().horizon:
                continue
            if self._progress_of(run).level >= until:
                number = run.attempts[-1].number
                self.append(ev.RunPausing(run=run.id, attempt=number, why="it is at its rung"))

    def _watch_budget(self) -> None:
        if not self._close_look or self.sweep.closed is not None:
            return
        running = sum(
            self._progress_of(run).spent for run in self.sweep.alive() if run.attempts[-1].pid
        )
        why = overspent(self.sweep, running, self._clock())
        if why is not None:
            self.append(*halted(self.sweep, running, why))

    def _pack(self) -> None:
        """Let more runs onto the GPUs while that is faster."""
        if not self._close_look or self._packing.settled or not self._plan().devices:
            return
        paces = {
            run.id: Pace(progress.level, progress.lines)
            for run in self.sweep.alive()
            if (progress := self._progress.get((run.id, len(run.attempts)))) is not None
        }
        self.append(*self._packing.further(self.sweep, paces, gpu.read(), time.monotonic()))

    # ── obey ──────────────────────────────────────────────────────────────────────────────────────

    def _obey(self) -> None:
        for letter in self.inbox.letters():
            self._obey_letter(letter)

    def _obey_letter(self, letter: Letter) -> None:
        known = self.sweep.commands.get(letter.id)
        if known is not None:
            self.inbox.answer(letter.id, Answer(known.ok, known.answer, known.mend))
            return
        command = letter.command
        if command is None:
            self._answer(letter.id, "?", Answer(ok=False, answer=f"unreadable: {letter.fault}"))
            return
        name = type(command).__name__
        try:
            if letter.id not in self.sweep.commands:
                self._begin(letter.id, command)
        except commands.Refusal as refusal:
            self._answer(letter.id, name, Answer(False, refusal.what, refusal.mend))
            return
        answer = commands.settled(command, self.sweep)
        if answer is not None:
            self._answer(letter.id, name, answer)

    def _begin(self, letter_id: str, command: ev.AnyCommand) -> None:
        """Journal the effects of a command that is seen for the first time, then let them happen."""
        late = time.time() - command.sent - command.expires
        if command.expires and late > 0:
            raise commands.Refusal(f"it expired {late:.0f} s ago", "send it again")
        effects = commands.effects(command, self.sweep)
        if self.sweep.closed is not None and effects:
            effects = [self._opened(self._plan()), *effects]
        self.append(*(msgspec.structs.replace(effect, by=letter_id) for effect in effects))
        self._fast_failures = 0
        for effect in effects:
            if isinstance(effect, ev.RunFrozen):
                self._send(self.sweep.runs[effect.run], signal.SIGSTOP)
            elif isinstance(effect, ev.RunThawed):
                self._send(self.sweep.runs[effect.run], signal.SIGCONT)

    def _answer(self, letter_id: str, command: str, answer: Answer) -> None:
        done = ev.CommandDone(
            command=command, ok=answer.ok, answer=answer.answer, mend=answer.mend, by=letter_id
        )
        self.append(done)
        self.inbox.answer(letter_id, answer)

    # ── decide and launch ─────────────────────────────────────────────────────────────────────────

    def _decide(self) -> None:
        if self.sweep.closed is not None or not self._data_ready():
            return
        if self.sweep.n == self._decided_n:
            return  # a strategy sees nothing but the sweep
        self._decided_n = self.sweep.n
        if self.sweep.brake is None:
            self.append(
                *events_of(self.experiment.strategy.decide(self.sweep, self.space), self.sweep)
            )

    def _data_ready(self) -> bool:
        """Tell whether the data is prepared; begin or follow its preparation where it is not."""
        if not self.preparation.missing(self.sweep):
            return True
        self.append(*self.preparation.further(self.sweep))
        return False

    def _launch(self) -> None:
        if self.sweep.closed is not None or self.sweep.brake is not None:
            return
        for run in self.sweep.queued()[: slots.free_slots(self.sweep)]:
            if not self._has_room():
                return
            self._launch_run(run)

    def _launch_run(self, run: Run) -> None:
        number = len(run.attempts) + 1
        folder = self.layout.root / run.folder
        root = self.layout.attempt(run.folder, number)
        resumed_from = starting.last_checkpoint(folder, run) if run.resume else None
        event = ev.RunLaunched(
            run=run.id,
            attempt=number,
            token=secrets.token_hex(16),
            until=run.until,
            devices=slots.devices_for(self.sweep),
            resumed_from=resumed_from,
        )
        self._make_folders(run, root)
        self.append(event)
        self._start(self.sweep.runs[run.id])

    def _make_folders(self, run: Run, root: Path) -> None:
        """Make the directories of a run and of its attempt, where a power cut, a full disk or a person took them away too."""
        if not (root.parent / "run.json").exists():
            builtin = self.experiment.builtin
            trained_in = starting.precision(self.experiment, self.sweep) if builtin else ""
            starting.write_run(root.parent, run, self._plan(), trained_in)
        root.mkdir(mode=0o700, exist_ok=True)

    def _start(self, run: Run) -> None:
        """Write what will run, and hand it to the launcher; a launch that fails is repeated by the next ticks."""
        job, warnings = starting.job(self.layout, run, self.experiment, self.sweep, self.origin)
        for text in warnings:
            self.warn(text, run.id)
        try:
            self.launcher.launch(job)
        except OSError as error:
            self.warn(f"could not be started: {error.strerror}; trying again", run.id)

    def _repeat_launch(self, run: Run) -> None:
        """Launch an attempt again that nobody has claimed; give up after a while.

        One that had begun was claimed: its directory was deleted or emptied, and its processes are gone.
        """
        key = (run.id, run.attempts[-1].number)
        self._retries[key] = self._retries.get(key, 0) + 1
        begun = run.attempts[-1].pid is not None
        if begun or run.state in (State.STOPPING, State.PAUSING) or self._retries[key] > 50:
            self._finish(run, Gone())
        elif self._retries[key] % 5 == 1:
            self._make_folders(run, self._root(run))
            self._start(run)

    def _has_room(self) -> bool:
        """Tell whether the disk has room for another run; say so once where it has not."""
        free = shutil.disk_usage(self.layout.root).free
        if free >= LEAST_FREE_BYTES:
            self._warned.discard("room")
            return True
        if "room" not in self._warned:
            self._warned.add("room")
            self.warn(f"only {free >> 20} MiB are free on the disk; nothing new is launched")
        return False

    # ── close ─────────────────────────────────────────────────────────────────────────────────────

    def _close(self) -> None:
        sweep = self.sweep
        if sweep.closed is not None or sweep.alive() or self.preparation.alive(sweep):
            return
        open_states = (State.QUEUED, State.PAUSED, State.WAITING)
        unfinished = any(run.state in open_states for run in sweep.runs.values())
        failed = self.preparation.failure
        if failed is not None:
            self.append(ev.SweepClosed(code=failed.code, why=failed.why))
        elif sweep.brake is not None or (sweep.runs and not unfinished):
            closed = exit_code(sweep)
            self.append(verdict_event(sweep), closed)
        self.preparation.failure = None

    def _opened(self, plan: ev.Plan) -> ev.SweepOpened:
        return ev.SweepOpened(
            plan=plan,
            host=socket.gethostname(),
            inode=os.stat(self.layout.root).st_ino,
            version=__version__,
            pid=os.getpid(),
        )

    def _alert(self) -> None:
        """Tell what has happened since the last tick, after it is journalled that it was told."""
        letters = self._alerting.due(self.sweep, self._untold)
        self._untold.clear()
        if letters:
            self.append(ev.Alerted(of=self.sweep.n))
        self._alerting.tell(letters)

    # ── small things ──────────────────────────────────────────────────────────────────────────────

    def warn(self, text: str, run: str | None = None) -> None:
        """Say something that a person should know, in the journal."""
        log.warning("%s%s", f"{run}: " if run else "", text)
        self.append(ev.Warned(text=text, run=run))

    def _plan(self) -> ev.Plan:
        plan = self.sweep.plan
        assert plan is not None, "open() comes first"  # noqa: S101  # a bug of ours, not of the user
        return plan

    def _root(self, run: Run) -> Path:
        return self.layout.attempt(run.folder, run.attempts[-1].number)

    def _progress_of(self, run: Run) -> Progress:
        key = (run.id, run.attempts[-1].number)
        if key not in self._progress:
            self._progress[key] = self._progress_from(run, len(run.attempts))
        return self._progress[key]

    def _progress_from(self, run: Run, number: int) -> Progress:
        """Return the measurements of an attempt, and of those that it goes on from."""
        attempt = run.attempts[number - 1]
        root, chance = self.layout.attempt(run.folder, number), chance_in(self.sweep)
        progress = Progress(root, self._plan(), run, attempt, chance)
        if attempt.resumed_from is not None and 0 < attempt.resumed_from < number:
            progress.go_on_from(self._progress_from(run, attempt.resumed_from))
        return progress

    def _send(self, run: Run, number: int) -> None:
        self.launcher.send(self._root(run), run.attempts[-1].token, number)

    def _is_due(self) -> bool:
        now = time.monotonic()
        if self._adopting or now - self._looked_at >= CLOSE_LOOK_SECONDS:
            self._looked_at = now
            return True
        return False

    def _touch_beat(self) -> None:
        now = time.monotonic()
        if now - self._beat_at >= BEAT_SECONDS:
            self._beat_at = now
            self.layout.beat.touch(mode=0o600)


def steady_clock() -> Callable[[], float]:
    """Return a wall clock that runs on from now as the machine does, whatever is done to the machine's own.

    A clock that is set a year forward must not spend a budget of hours.
    """
    ahead = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return lambda: time.clock_gettime(time.CLOCK_BOOTTIME) + ahead
