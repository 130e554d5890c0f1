"""The launcher for a Slurm cluster: submits waves of attempts as arrays, and learns each one's state from files.

The files decide. Slurm's queue is asked for three things that no file contains: why a job waits, that a job is gone without an
ending, and what ended a job that was ordered to stop. An attempt is given up only if its job is over or unknown to Slurm in two
answers, it has no exit.json, and its beat has not changed for `TIMING.late` seconds. It is then fenced off: KILL is written to its
orders, and one that never began is claimed, so that no job can begin it later. So a job may be submitted or requeued twice.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from lrtui.sweep.files import read_last_lines, read_untrusted, write_atomic, write_closed
from lrtui.sweep.layout import AttemptLayout, Layout, SlurmLayout
from lrtui.sweep.timing import TIMING
from lrtui.text.clean import clean, clean_lines
from lrtui.text.format import count, duration
from lrtui.workers.launcher import (
    Alive,
    Condition,
    Exited,
    Job,
    Launcher,
    Unclaimed,
    Vanished,
    new_token,
)
from lrtui.workers.local import read_exit, read_remote_pid
from lrtui.workers.slurm import agent, queue_reasons, waves
from lrtui.workers.slurm.job_options import (
    MOST_TASKS,
    Options,
    job_name,
    options_of,
    resource_words,
    rewritten,
    sbatch_words,
    script,
    throttles,
)
from lrtui.workers.slurm.queue import Call, Queue, Task, call
from lrtui.workers.slurm.waves import Wave

LOOKS = 2
"""The number of consecutive answers in which a job must be over, or unknown to Slurm, before its files are doubted."""
_OURS = b"supervisor\n"
"""The content of `claim` of an attempt that was removed from the queue."""
_MOVED = b"supervisor, for another job\n"
"""The same if its run is submitted again."""
_AGENT = Path(agent.__file__).resolve()
_KILL = signal.SIGKILL
_AGAIN = frozenset({"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT"})
_ENDING_SIGNALS = frozenset({signal.SIGTERM, _KILL})
_TAIL = 1 << 12
_FORGOTTEN = Vanished("evicted", "Slurm's controller has forgotten its job")
_AGAIN_STARTED = Vanished("evicted", "Slurm killed its job and started it again")
"""The second start finds the attempt claimed and ends with 0."""
_CONFUSED = Vanished("evicted", "cancelled in Slurm, whose controller had given its job id twice")
"""Whoever cancelled it: Slurm ends a node's earlier job of that id, and takes its end for that of the later one."""


@dataclass(slots=True)
class _Member:
    """One attempt in a wave, with its state; only its place in the wave is needed after a restart."""

    wave: Wave
    task: int
    place: int
    pid: int | None = None
    beat: bytes = b""
    still_since: float = 0.0
    killed_at: float = 0.0
    noticed: float = 0.0
    """When it was first seen to be ordered to stop."""
    unqueued: bool = False
    """Whether its job is cancelled once none of its attempts is wanted."""
    over: bool = False
    """Whether it was given up, or removed from the queue."""

    @property
    def folder(self) -> str:
        """Its name below the experiment directory: r03-lr3e-04/a1."""
        return self.wave.tasks[self.task][self.place]

    @property
    def files(self) -> AttemptLayout:
        """Its files, made when needed: a thousand unused paths would take 0.4 MB."""
        return AttemptLayout(self.wave.files.root.parent.parent / self.folder)

    @property
    def began(self) -> bool:
        return self.task in self.wave.begun

    @property
    def ended(self) -> bool:
        return (self.task, self.place) in self.wave.over


class Slurm(Launcher):
    """The launcher of one experiment directory."""

    remote = True

    def __init__(self, root: Path, settings: Mapping[str, Any], run: Call = call) -> None:
        self._root = root
        self._folder = Layout(root).slurm
        self._options = options_of(settings)
        self._queue = Queue(self._options, run)
        self._waves = {wave.number: wave for wave in waves.known(self._folder)}
        self._members: dict[str, _Member] = {}
        """By the attempts' folders, relative to `root`."""
        self._fresh: dict[str, None] = {}
        """The folders of launched attempts that are not in a wave yet, in order."""
        self._waiting = 0
        """Their number at the last tick: a wave is submitted once it has stopped growing."""
        self._throttles: dict[int, int] = {}
        self._uncancelled: list[_Member] = []
        """Attempts removed from the queue here, but not in Slurm yet."""
        self._looked_at = -1e9
        self._counted: list[tuple[int, int]] | None = None
        """The last result of `_open_tasks`; None after a change."""
        self._listed: dict[int, tuple[frozenset[int], frozenset[tuple[int, int]]]] = {}
        """Per wave, the tasks that had begun and the attempts that had ended when they were last read."""
        self._twice: set[int] = set()
        """Job ids that Slurm has given to two waves."""
        self._asking: dict[str, int] = {}
        """The waves of the attempts that have ended, and of which only Slurm knows why."""
        self.quiet: dict[str, _Member] = {}
        """By token: attempts that wait, until Slurm answers again or the folder of their wave changes."""
        self._quiet_since: tuple[object, ...] = ()
        self._said: frozenset[str] = frozenset()
        self._asked: dict[str, Options] = {}
        """The requested options of waves for which squeue has not yet reported what they got."""
        self._said_rewritten: set[str] = set()
        self._held_at = self._queue.look
        self._held: frozenset[str] = frozenset()
        """Slurm's permanent reasons for holding jobs."""
        for wave in self._waves.values():
            self._enter(wave)
            if not wave.job and not wave.refused:
                wave.unwanted = all(
                    self._is_taken_out(member.files.root) for member in self._members_of(wave)
                )
                if wave.unwanted:
                    self._leave(self._members_of(wave))
                self._queue.submit(wave, self._words(wave, MOST_TASKS), again=True)

    def preload(self, modules: Sequence[str], environment: Mapping[str, str]) -> None:
        """Do nothing: the nodes import what their workers need."""

    def unload(self) -> None:
        """Do nothing: nothing was preloaded."""

    def launch(self, job: Job) -> None:
        """Write the files that the job needs; the next tick submits it with the others."""
        folder = _folder(job.root)
        if folder in self._members or folder in self._fresh:
            return
        files = AttemptLayout(job.root)
        content = {"token": job.token, "environment": dict(job.environment)}
        write_closed(files.environment, json.dumps(content).encode())
        files.orders.touch(mode=0o600)
        self._fresh[folder] = None

    def adopt(self, living: Collection[Path]) -> None:
        """Stop counting tasks whose attempts are over even if no agent was left to report it."""
        names = {_folder(root) for root in living}
        for folder, member in self._members.items():
            member.over = member.over or folder not in names
        self._counted = None

    def change(self, settings: Mapping[str, Any]) -> list[str]:
        """Submit further jobs with these settings, and waiting ones again if their request would change."""
        before, self._options = self._options, options_of(settings)
        self._queue.change(self._options)
        if all(of(before) == of(self._options) for of in (resource_words, attrgetter("setup"))):
            return []
        waiting = [each for each in self._members.values() if not (each.began or each.over)]
        moved = [each for each in waiting if not each.wave.refused and self._claim(each, _MOVED)]
        self._leave(moved)
        self.quiet.clear()
        again = f"; {count(len(moved), 'waiting run')} submitted again" if moved else ""
        return [f"further jobs follow the edited [launcher]{again}"]

    def room(self, most: int) -> bool:
        """Return whether a further wave could run a task now; submitted tasks wait in Slurm's queue, not in lrtui's."""
        tasks = self._tasks(most)
        return sum(throttles(self._open_tasks(), tasks).values()) < tasks

    def tick(self, most: int) -> list[str]:
        """Submit the launched attempts, list the waves' folders, and pass on the wanted number of runs at once."""
        waiting, self._waiting = self._waiting, len(self._fresh)
        if self._fresh and (waiting == self._waiting or waiting >= self._most_fresh()):
            self._submit(most)  # nothing was added since the last tick
            self._looked_at = -1e9
        now = time.monotonic()
        if now - self._looked_at >= TIMING.far_look / 2:
            self._looked_at = now
            self._look(most)
        self._wake()
        before, self._said = self._said, self._queue.troubles()
        return [*sorted(self._said - before), *self._newly_rewritten(), *self._newly_held()]

    def condition(self, root: Path, token: str) -> Condition:
        """Return an attempt's condition."""
        member = self._members.get(_folder(root))
        if member is None:
            return self._not_submitted(root)
        found = self._condition(member, token)
        if found.__class__ is Alive and not member.began:
            self.quiet[token] = member
        return found

    def _condition(self, member: _Member, token: str) -> Condition:
        if member.wave.refused and self._claim(member):
            self._give_up(member)
            return Vanished("refused", member.wave.refused)
        if member.ended:
            return self._ended(member)
        if member.over and not member.began:
            return self._taken_out(member)
        if self._is_gone(member):
            return self._doubted(member)
        return self._alive(member, token)

    def send(self, root: Path, token: str, signal: int) -> int:
        """Order a signal, or remove an attempt that has not begun from the queue; return 1 if a process may receive it."""
        member = self._members.get(_folder(root))
        if member is None:
            return 0
        self.quiet.pop(token, None)
        if signal in _ENDING_SIGNALS and self._claim(member):
            self._leave([member])
            return 0
        self._order(member, signal)
        if signal == _KILL:
            now = time.monotonic()
            member.killed_at = member.killed_at or now
            if now - member.killed_at > TIMING.grace:
                self._unqueue(member)  # its agent does not react
        return 1

    # ── submitting ────────────────────────────────────────────────────────────────────────────────

    def _submit(self, most: int) -> None:
        """Put the launched attempts into waves, and have these submitted."""
        folders = list(self._fresh)
        size = self._most_fresh()
        for first in range(0, len(folders), size):
            part = folders[first : first + size]
            wave = self._begin(part)
            for each in part:
                del self._fresh[each]
            self._waves[wave.number] = wave
            self._enter(wave)
            share = throttles(self._open_tasks(), self._tasks(most))[wave.number]
            self._throttles[wave.number] = share
            self._asked[wave.name] = self._options
            self._queue.submit(wave, self._words(wave, share))

    def _most_fresh(self) -> int:
        return MOST_TASKS * self._options.pack

    def _begin(self, names: Sequence[str]) -> Wave:
        """Write the files of a wave of attempts: its script and its intent."""
        number = max(waves.numbers(self._folder), default=0) + 1
        folder = self._folder / f"w{number}"
        pack = self._options.pack
        tasks = tuple(tuple(names[i : i + pack]) for i in range(0, len(names), pack))
        name = job_name(self._root.name, number, new_token()[:8])
        wave = waves.begin(folder, name, tasks)
        write_atomic(
            SlurmLayout(folder).script,
            script(self._options, sys.executable, _AGENT, folder).encode(),
        )
        return wave

    def _words(self, wave: Wave, throttle: int) -> list[str]:
        return sbatch_words(self._options, wave.name, len(wave.tasks), throttle, wave.files.root)

    def _enter(self, wave: Wave) -> None:
        wave.look()
        self._counted = None
        for task, folders in enumerate(wave.tasks):
            for place, folder in enumerate(folders):
                self._members[folder] = _Member(wave, task, place)

    # ── looking ───────────────────────────────────────────────────────────────────────────────────

    def _wake(self) -> None:
        """Mark waiting attempts for a new `condition`, if it may have changed."""
        refused = sum(bool(wave.refused) for wave in self._waves.values())
        since = self._queue.look.number, self._queue.troubles(), refused
        if since != self._quiet_since:
            self._quiet_since = since
            self.quiet.clear()
            self._part_jobs()

    def _look_at(self, wave: Wave, *, anew: bool = False) -> None:
        """Read what is new in a wave's folder."""
        wave.look(anew=anew)
        known = wave.begun, wave.over
        if known != self._listed.get(wave.number):  # the queue's thread lists too
            self._listed[wave.number] = known
            self._counted = None
            for token in [t for t, member in self.quiet.items() if member.began or member.ended]:
                del self.quiet[token]

    def _look(self, most: int) -> None:
        self._part_jobs()
        living = [number for number, _ in self._open_tasks()]
        for number in living:
            self._look_at(self._waves[number])
        asking = self._asking.values()
        self._queue.watch([self._waves[number] for number in sorted({*living, *asking})])
        self._cancel_later()
        shares = throttles(self._open_tasks(), self._tasks(most))
        for number, share in shares.items():
            wave = self._waves[number]
            if wave.job > 0 and self._throttles.get(number) != share:
                if number in self._throttles:
                    self._queue.throttle(wave.job, share)
                self._throttles[number] = share

    def _part_jobs(self) -> None:
        """Believe the latest of two waves with one job id: a controller that died forgets ids that it gave, and gives them again."""
        latest: dict[int, Wave] = {}
        for _, wave in sorted(self._waves.items()):
            if wave.job > 0 and wave.job in latest:
                latest[wave.job].job = -1
                self._twice.add(wave.job)
            latest[wave.job] = wave

    def _open_tasks(self) -> list[tuple[int, int]]:
        """Return (wave, number of its unfinished tasks)."""
        if self._counted is None:
            counts: dict[int, set[int]] = {}
            for member in self._members.values():
                if not member.ended and not member.over:
                    counts.setdefault(member.wave.number, set()).add(member.task)
            self._counted = [(number, len(tasks)) for number, tasks in sorted(counts.items())]
        return [each for each in self._counted if not self._waves[each[0]].refused]

    def _tasks(self, runs: int) -> int:
        return max(1, runs // self._options.pack)

    def _why_waiting(self, member: _Member) -> str:
        """Return why a job has not begun; "" until Slurm has considered it."""
        said = self._said_of(member)
        if said is None or not member.wave.job:
            return self._queue.delays.get(member.wave.name, "") or self._queue.trouble
        if said.state != "PENDING":
            return said.state.lower()
        job = f"{member.wave.job}_{member.task}"
        return queue_reasons.in_words(said.reason, job, self._options)

    def _newly_rewritten(self) -> list[str]:
        """Return what the site changed in the request of a wave that was just submitted; the same text once."""
        said = []
        for name, given in self._queue.look.given.items():
            asked = self._asked.pop(name, None)
            changed = rewritten(asked, given.partition, given.seconds) if asked else ""
            if changed and changed not in self._said_rewritten:
                self._said_rewritten.add(changed)
                said.append(
                    f"the site rewrites the jobs: {changed}; change [launcher] to what the site allows, or ask why"
                )
        return said

    def _newly_held(self) -> list[str]:
        """Return the permanent reasons for which Slurm has held jobs since the last call."""
        look = self._queue.look
        if look is self._held_at:
            return []
        self._held_at, before = look, self._held
        jobs: dict[str, list[str]] = {}
        for wave in self._waves.values():
            for index, task in enumerate(look.tasks.get(wave.name, ())):
                if task is not None and task.state == "PENDING":
                    jobs.setdefault(task.reason, []).append(f"{wave.job}_{index}")
        self._held = frozenset(
            reason for reason in jobs if queue_reasons.lasting(reason, "", self._options)
        )
        return [
            f"Slurm holds {count(len(jobs[reason]), 'job')}: {queue_reasons.in_words(reason, jobs[reason][0], self._options)}"
            for reason in sorted(self._held - before)
        ]

    # ── endings ───────────────────────────────────────────────────────────────────────────────────

    def _not_submitted(self, root: Path) -> Condition:
        if _folder(root) in self._fresh:
            return Alive(None, kept=True)
        files = AttemptLayout(root)
        return read_exit(files.exit) or (Vanished() if files.claim.exists() else Unclaimed())

    def _taken_out(self, member: _Member) -> Condition:
        """Return the condition of an attempt that this launcher claimed before its job did."""
        if read_untrusted(member.files.claim) == _MOVED:
            return Vanished("evicted", "[launcher] was edited")
        return Vanished("cancelled", "taken out of Slurm's queue")

    def _alive(self, member: _Member, token: str = "") -> Condition:
        if not member.began:
            return Alive(None, kept=True, waits=self._why_waiting(member))
        if member.pid is None and token:
            who = read_remote_pid(member.files.pid, token)
            member.pid = who.worker if who else None
        return Alive(member.pid, kept=True)

    def _ended(self, member: _Member) -> Condition:
        """Return how an attempt ended, according to its job."""
        ending = read_exit(member.files.exit)
        if ending is None:  # the file server is late
            return Vanished() if self._stands_still(member) else self._alive(member)
        cause = member.wave.cause(member.task, member.place)
        if cause == "limit":
            return Vanished("limit", self._limit(member))
        alone = all(each.ended or each.over for each in self._beside(member))
        killed = not cause and alone and ending.signal in _ENDING_SIGNALS
        if cause != "term" and not killed:
            return ending
        look, member.noticed = self._queue.look, member.noticed or time.monotonic()
        said = self._said_of(member)  # Slurm knows the reason, whoever sent the signal
        if said is not None and said.over:
            self._asking.pop(member.folder, None)
            if said.state == "COMPLETED":  # a second start with nothing to do
                return Vanished("evicted", "requeued in Slurm")
            return self._cut_off(member, said) or ending
        if said is not None and said.state in _AGAIN and look.began > member.noticed:
            self._asking.pop(member.folder, None)
            self._unqueue(member)  # a second start there has nothing to do
            return Vanished("evicted", "requeued in Slurm")
        if not self._is_gone(member):
            self._asking[member.folder] = member.wave.number
            return self._alive(member)
        self._asking.pop(member.folder, None)
        if self._is_forgotten(member):
            return _FORGOTTEN
        return Vanished("evicted", "Slurm told its job to stop") if cause else ending

    def _doubted(self, member: _Member) -> Condition:
        """Return the condition of an attempt whose job Slurm no longer runs, although the job has not reported its end."""
        os.listdir(member.files.root)  # makes a shared file system ask its server again
        self._look_at(member.wave, anew=True)
        if member.ended:
            return self._ended(member)
        said = self._said_of(member)
        if not member.began:
            if not self._claim(member):
                return self._alive(member)  # it begins at this moment
            self._give_up(member)
            return self._never_began(member, said)
        if not self._stands_still(member):
            return self._alive(member)
        self._order(member, _KILL)
        self._give_up(member)
        cut, ending = self._cut_off(member, said), read_exit(member.files.exit)
        if cut is None and ending is not None and ending.code == 0:
            return ending
        if cut is None and self._is_forgotten(member):
            return _FORGOTTEN
        if said is not None and said.state == "COMPLETED" and (ending is None or ending.signal):
            return _AGAIN_STARTED
        return cut or Vanished("", "its job is gone from Slurm's queue")

    def _cut_off(self, member: _Member, said: Task | None) -> Condition | None:
        """Return what ended a job according to Slurm; None if the worker's exit code says more."""
        match said.state if said else "":
            case "CANCELLED":
                return self._cancelled(member, "cancelled in Slurm")
            case "TIMEOUT" | "DEADLINE":
                return Vanished("limit", self._limit(member))
            case "PREEMPTED":
                return Vanished("evicted", "preempted in Slurm")
            case "NODE_FAIL" | "BOOT_FAIL":
                return Vanished("evicted", f"node {said.node if said else ''} failed")
            case "OUT_OF_MEMORY":
                return Exited(None, _KILL)
        return None

    def _cancelled(self, member: _Member, why: str) -> Condition:
        """Return the meaning of a cancelled job: the user's wish, unless Slurm may have meant another job."""
        return _CONFUSED if member.wave.job in self._twice else Vanished("cancelled", why)

    def _never_began(self, member: _Member, said: Task | None) -> Condition:
        """Return the outcome of a job in which no keeper began."""
        files = member.wave.files
        if read_untrusted(member.files.claim) == _MOVED:  # by an earlier supervisor
            return self._taken_out(member)
        trouble = clean(read_untrusted(files.trouble(member.task)), 300)
        if trouble:
            return Vanished("refused", trouble)
        cut = self._cut_off(member, said)
        if cut is not None:
            return cut
        if self._is_forgotten(member):
            return _FORGOTTEN
        if said is None and not files.log(member.task).exists():
            return self._cancelled(member, "it left Slurm's queue before it began")
        printed = [
            line
            for line in clean_lines(read_last_lines(files.log(member.task), _TAIL), 200)
            if line.strip()
        ]
        node = said.node if said and said.node else "its node"
        last = f"; it printed: {printed[-1]}" if printed else ""
        why = f"its job ended on {node} before lrtui's keeper began{last}; does the node see {self._root} and {sys.executable}? Both belong on the file system that the nodes share"
        return Vanished("refused", why)

    def _limit(self, member: _Member) -> str:
        given = self._queue.look.given.get(member.wave.name)
        if given is not None and given.seconds:
            return f"time limit of {duration(given.seconds)}"
        return f"time limit of {self._options.time or 'the partition'}"

    def _said_of(self, member: _Member) -> Task | None:
        tasks = self._queue.look.tasks.get(member.wave.name)
        return tasks[member.task] if tasks else None

    def _is_forgotten(self, member: _Member) -> bool:
        return member.wave.name in self._queue.look.forgotten

    def _is_gone(self, member: _Member) -> bool:
        looks = self._queue.look.gone.get(member.wave.name)
        return looks is not None and looks[member.task] >= LOOKS

    def _stands_still(self, member: _Member) -> bool:
        """Return whether a job's beat has not changed for longer than a file server may be late."""
        now, beat = time.monotonic(), member.wave.beat(member.task)
        if not member.still_since or beat != member.beat:
            member.beat, member.still_since = beat, now
        return now - member.still_since >= TIMING.late

    # ── orders ────────────────────────────────────────────────────────────────────────────────────

    def _order(self, member: _Member, number: int) -> None:
        """Append a signal to the orders, unless it is the latest; SIGCONT only after a SIGSTOP."""
        name = signal.Signals(number).name.removeprefix("SIG")
        orders = read_untrusted(member.files.orders).decode("ascii", "replace").split()
        if orders[-1:] == [name] or (name == "CONT" and "STOP" not in orders):
            return
        flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(member.files.orders, flags, 0o600)
        try:
            os.write(fd, f"{name}\n".encode())
            os.fsync(fd)
        finally:
            os.close(fd)

    def _claim(self, member: _Member, said: bytes = _OURS) -> bool:
        """Claim an attempt that has not begun, so that it never begins; return whether it is."""
        if member.began:
            return False
        claim = member.files.claim
        ours = claim.with_name(f"claim.{os.getpid()}.tmp")
        ours.write_bytes(said)
        try:
            os.link(ours, claim)
        except FileExistsError:
            return self._is_taken_out(member.files.root)
        finally:
            ours.unlink()
        return True

    @staticmethod
    def _is_taken_out(root: Path) -> bool:
        """Return whether a supervisor has claimed an attempt, so that it never begins."""
        return read_untrusted(AttemptLayout(root).claim) in (_OURS, _MOVED)

    def _give_up(self, member: _Member) -> None:
        member.over = True
        self._counted = None

    def _leave(self, members: Iterable[_Member]) -> None:
        """Give up attempts that were claimed here, and cancel their job if Slurm has it or turns out to."""
        for member in members:
            self._give_up(member)
            self._unqueue(member)

    def _unqueue(self, member: _Member) -> None:
        if not member.unqueued:
            member.unqueued = True
            self._uncancelled.append(member)

    def _cancel_later(self) -> None:
        """Cancel the tasks without wanted attempts, once their job is known."""
        left = []
        wanted = {number for number, _ in self._open_tasks()}
        for member in self._uncancelled:
            wave, task = member.wave, member.task
            if not wave.job and not wave.refused:
                wave.unwanted = wave.number not in wanted
                left.append(member)
            elif wave.job > 0 and all(
                each.over or each.ended or each.unqueued for each in self._beside(member)
            ):
                self._queue.cancel([f"{wave.job}_{task}"])
        self._uncancelled = left

    def _members_of(self, wave: Wave) -> list[_Member]:
        return [self._members[folder] for folders in wave.tasks for folder in folders]

    def _beside(self, member: _Member) -> list[_Member]:
        folders = member.wave.tasks[member.task]
        return [self._members[folder] for folder in folders]


def _folder(root: Path) -> str:
    """Return the name of an attempt's directory below the experiment directory."""
    return f"{root.parent.name}/{root.name}"
