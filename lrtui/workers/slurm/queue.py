"""The one thread that calls sbatch, squeue, scancel and scontrol, so that an absent controller (9 s per call) blocks nothing else.

squeue is called once for all jobs, at most every `TIMING.queue` seconds, less often while it fails or is slow. A submission that
fails or hangs may still have been accepted: its name is looked up before it is repeated. All state here may be lost at any
moment; the files of the waves say what is to be done.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from lrtui.sweep.timing import TIMING
from lrtui.text.clean import clean, clean_lines
from lrtui.text.format import duration
from lrtui.workers.slurm.job_options import (
    Options,
    asked,
    is_closed,
    is_passing,
    is_unmet,
    partitions,
    refusal,
    resource_words,
    seconds_of,
    supervisor_refusal,
)
from lrtui.workers.slurm.waves import Wave

_SUBMIT_SECONDS = 60.0
_ASK_SECONDS = 20.0
_SLOW_SECONDS = 5.0
_BACKS_OFF = 8
"""The longest interval, as a multiple of the usual one."""
NO_SBATCH = "there is no sbatch on this machine: start lrtui on a login node of the Slurm cluster"
WAIT_OR_MOVE = (
    "wait until the site opens it, or name another partition in [launcher] (`sinfo -s` lists them)"
)
_FORMAT = "%F|%K|%T|%N|%P|%l|%r|%k"
_PARTS = _FORMAT.count("|")
_FOLDED = "%F|%T|%r|%j|%k"
_NAME = re.compile(r"\blrtui-[A-Za-z0-9._+=@-]+-w[0-9]+-[0-9a-f]{8}\b")
"""A wave's name, with which its comment begins."""
_FORGOTTEN = re.compile(r"invalid job id", re.IGNORECASE)
_LEFT_BEHIND = "|FAILED|BadConstraints|"
"""Slurm's words for a job that it has refused."""
_OVER = frozenset(
    (
        *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL"),
        *("OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT"),
    )
)
_MOST_SHOWN = 80
_REMEMBERED_SECONDS = 120.0
"""Seconds after the last answer with a job for which Slurm still knows it if it was cancelled (MinJobAge is 300 s by default)."""
_NOT_PASSED_ON = ("LRTUI_", "SLURM_", "SQUEUE_", "SCANCEL_")
"""A user's own filters and formats would hide jobs or ask questions."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task in squeue's answer; a thousand tasks that wait for one reason share one object."""

    state: str
    reason: str = ""
    node: str = ""

    @property
    def over(self) -> bool:
        """Whether it will not run again."""
        return self.state in _OVER


@dataclass(frozen=True, slots=True)
class Given:
    """What a job got, which a site's filter may have changed from its request."""

    partition: str
    """"a,b" while it waits for one of several."""
    seconds: int | None
    """Its time limit; None for none."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One job in squeue's answer."""

    given: Given
    """Of one of its tasks."""
    tasks: dict[int, Task] = field(default_factory=dict)
    """By their indices."""
    marks: set[str] = field(default_factory=set)
    """The names of waves in its comment."""


@dataclass(frozen=True, slots=True)
class Look:
    """One answer of squeue, for the waves that were asked for."""

    number: int = 0
    began: float = 0.0
    """Monotonic seconds."""
    tasks: Mapping[str, Sequence[Task | None]] = field(default_factory=dict)
    """By wave, one entry per task: None if Slurm does not know it; no list if it knows none."""
    gone: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """By wave: the number of consecutive answers in which each task was over, or unknown to Slurm."""
    given: Mapping[str, Given] = field(default_factory=dict)
    """By wave, of one of its tasks."""
    forgotten: Collection[str] = ()
    """Waves that Slurm knew shortly before and no longer knows: a controller died before it saved them."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended; the code is None if it hung."""

    code: int | None
    out: str
    err: str


Call = Callable[[Sequence[str], float], Done]


def call(words: Sequence[str], seconds: float) -> Done:
    """Run one of Slurm's commands as if outside any job; after `seconds`, kill it with all that a site's wrapper has started."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_NOT_PASSED_ON) or name == "SLURM_CONF"
    }
    try:
        begun = subprocess.Popen(
            words,
            env=kept,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        return Done(127, "", f"{words[0]}: {error.strerror}")
    with begun:
        try:
            out, err = begun.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(begun.pid, signal.SIGKILL)
            return Done(None, "", f"{words[0]} did not answer within {duration(seconds)}")
    return Done(begun.returncode, out, err)


class Queue:
    """Slurm's queue from one user's view."""

    def __init__(self, options: Options, run: Call = call) -> None:
        self._options = options
        self._run = run
        self._waves: dict[str, Wave] = {}
        self._actions: deque[Callable[[], None]] = deque()
        self._wanted = threading.Condition()
        self._thread: threading.Thread | None = None
        self._asked_at = -1e9
        self._pause = TIMING.queue
        self._counts: Mapping[str, Sequence[int]] = {}
        self._known: dict[str, float] = {}
        """When Slurm's answer last contained a wave."""
        self._forgotten: set[str] = set()
        self.look = Look()
        """The latest answer; replaced as a whole."""
        self.trouble = ""
        """What keeps Slurm from answering; "" while it does."""
        self.delays: dict[str, str] = {}
        """By wave: why Slurm does not accept it at present, though it answers."""
        self._tries: dict[str, int] = {}
        """How often a wave was not accepted."""
        self._marked: set[str] = set()
        """Waves that squeue has shown under their own name."""

    def change(self, options: Options) -> None:
        """Use these options in messages from now on."""
        self._options = options

    def troubles(self) -> frozenset[str]:
        """Return what keeps Slurm from answering, or from taking jobs."""
        return frozenset(filter(None, (self.trouble, *self.delays.values())))

    def watch(self, waves: Sequence[Wave]) -> None:
        """Ask for these waves from now on."""
        with self._wanted:  # the thread may wait with nothing to ask about
            self._waves = {wave.name: wave for wave in waves}
            self._wanted.notify()
        if waves:
            self._begin()

    def submit(self, wave: Wave, words: Sequence[str], *, again: bool = False) -> None:
        """Submit a wave; with `again` only if Slurm does not know it."""
        self._do(lambda: self._submit(wave, list(words), again=again))

    def cancel(self, jobs: Sequence[str]) -> None:
        """Cancel tasks by squeue's ids."""
        for first in range(0, len(jobs), 100):
            words = ["scancel", *jobs[first : first + 100]]
            self._do(lambda words=words: self._heard(self._run(words, _ASK_SECONDS)))  # type: ignore[misc]

    def throttle(self, job: int, tasks: int) -> None:
        """Set how many tasks of an array may run at once."""
        words = ["scontrol", "update", f"jobid={job}", f"ArrayTaskThrottle={tasks}"]
        self._do(lambda: self._heard(self._run(words, _ASK_SECONDS)))

    def _do(self, action: Callable[[], None]) -> None:
        with self._wanted:
            self._actions.append(action)
            self._wanted.notify()
        self._begin()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="slurm", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            action = self._next()
            try:
                action()
            except OSError as error:  # a full disk: the answer is asked for again
                self.trouble = f"{error}"
                time.sleep(TIMING.retry)

    def _next(self) -> Callable[[], None]:
        """Wait for the next thing to do."""
        with self._wanted:
            while True:
                if self._actions:
                    return self._actions.popleft()
                rest = self._asked_at + self._pause - time.monotonic()
                if self._waves and rest <= 0:
                    return self.ask
                self._wanted.wait(rest if self._waves else None)

    def ask(self) -> None:
        """Call squeue once for all waves that are watched and accepted.

        It is asked by job id: a site may give a job another name.
        """
        waves = [wave for wave in list(self._waves.values()) if wave.job]
        jobs = [str(wave.job) for wave in waves if wave.job > 0]
        self._asked_at = began = time.monotonic()
        if not waves:
            return
        words = ["squeue", "--me", "-h", "-r", "-t", "all", "-j", ",".join(jobs), "-o", _FORMAT]
        done = self._run(words, _ASK_SECONDS) if jobs else Done(0, "", "")
        if _FORGOTTEN.search(done.err):  # the only one
            done = Done(0, "", "")
        self._heard(done)
        slow = time.monotonic() - began > _SLOW_SECONDS
        if done.code != 0 or slow:
            self._pause = min(2 * self._pause, _BACKS_OFF * TIMING.queue)
        else:
            self._pause = TIMING.queue
        if done.code == 0:
            listed = parsed(done.out)
            owners = {wave.job: wave for wave in waves if wave.job in listed}  # the later of two
            found = {
                wave.name: listed[job]
                for job, wave in owners.items()
                if self._is_ours(wave, listed[job])
            }
            self._remember(began, waves, found)
            self._publish(began, waves, found)

    def _is_ours(self, wave: Wave, job: Listed) -> bool:
        """Return whether a job is a wave's; if not, give up its id, which Slurm has given again: a killed controller forgets some.

        A site may change all comments, but hardly one that it showed before.
        """
        if wave.name in job.marks:
            self._marked.add(wave.name)
        elif job.marks or wave.name in self._marked:
            wave.job = -1
            self._forgotten.add(wave.name)
            return False
        return True

    def _remember(self, began: float, waves: Sequence[Wave], known: Collection[str]) -> None:
        """Record which waves Slurm's answer contains, if only as cancelled."""
        for wave in waves:
            if wave.name in known:
                self._known[wave.name] = began
                self._forgotten.discard(wave.name)
            elif (
                began - self._known.get(wave.name, -1e9) < _REMEMBERED_SECONDS
                or 0 <= time.time() - wave.accepted_at < _REMEMBERED_SECONDS
            ):
                self._forgotten.add(wave.name)

    def _publish(self, began: float, waves: Sequence[Wave], found: Mapping[str, Listed]) -> None:
        tasks, counts = {}, {}
        for wave in waves:
            known = found[wave.name].tasks if wave.name in found else {}
            row = [known.get(index) for index in range(len(wave.tasks))]
            before = self._counts.get(wave.name) or [0] * len(row)
            counts[wave.name] = [
                count + 1 if task is None or task.over else 0
                for task, count in zip(row, before, strict=True)
            ]
            if known:
                tasks[wave.name] = row
        self._counts = counts
        given = {name: job.given for name, job in found.items()}
        forgotten = frozenset(self._forgotten)
        self.look = Look(self.look.number + 1, began, tasks, counts, given, forgotten)

    def _submit(self, wave: Wave, words: list[str], *, again: bool) -> None:
        if wave.job or wave.refused:
            return
        unknown = not again or self._found(wave) is False
        if unknown and not wave.unwanted:
            self._call_sbatch(wave, words)
        if wave.job or wave.refused or (unknown and wave.unwanted):
            self.delays.pop(wave.name, None)
        else:
            self._try_later(wave, words)

    def _call_sbatch(self, wave: Wave, words: list[str]) -> None:
        """Call sbatch once, and record the result."""
        done = self._run(words, _SUBMIT_SECONDS)
        number = re.search(r"^(\d+)", done.out, re.MULTILINE)
        if done.code == 0 and number:
            self.trouble = ""
            wave.accepted(int(number[1]))
            return
        found = self._found(wave)
        said = done.err or done.out
        passing = f"Slurm does not take the job: {clean(said.strip(), 200) or 'no answer'}"
        if found is None:
            self.trouble = passing
        elif is_closed(said):
            why = refusal(said, self._options)
            self.delays[wave.name] = f"{why}; {WAIT_OR_MOVE}, and run lrtui FILE again"
        elif done.code is None or is_passing(said):
            self.delays[wave.name] = passing
        elif not found:
            wave.refuse(refusal(said, self._options))

    def _found(self, wave: Wave) -> bool | None:
        """Return whether Slurm has accepted a wave; None if it does not answer."""
        wave.look(anew=True)
        words = ["squeue", "--me", "-h", "-t", "all", "-o", _FOLDED]
        done = self._run(words, _ASK_SECONDS)
        self._heard(done)
        known = [line for line in done.out.splitlines() if wave.name in line]
        number = re.match(r"(\d+)", "\n".join(each for each in known if _LEFT_BEHIND not in each))
        if number:
            wave.accepted(int(number[1]))
        elif wave.begun or wave.over:  # so long ago that Slurm has forgotten it
            wave.accepted(-1)
        elif done.code != 0:
            return None
        return bool(wave.job)

    def _try_later(self, wave: Wave, words: list[str]) -> None:
        """Submit a wave again after a delay that doubles each time, in which a late answer may still take effect."""
        tries = self._tries[wave.name] = self._tries.get(wave.name, 0) + 1
        pause = TIMING.queue * min(2 ** (tries - 1), _BACKS_OFF)
        timer = threading.Timer(pause, self.submit, (wave, words), {"again": True})
        timer.daemon = True
        timer.start()

    def _heard(self, done: Done) -> None:
        """Record whether Slurm answers."""
        if done.code == 0:
            self.trouble = ""
        elif done.code is None or is_passing(done.err):
            self.trouble = f"Slurm does not answer: {clean(done.err.strip(), 200)}"


@dataclass(frozen=True, slots=True)
class Trial:
    """Slurm's judgement of a job in a trial submission."""

    answer: str
    refused: bool = False
    """Whether it would never take the job."""


def tried(options: Options, run: Call = call) -> Trial:
    """Return whether Slurm would take a job with these options."""
    if shutil.which("sbatch") is None:
        return Trial(NO_SBATCH, refused=True)
    words = ["sbatch", "--test-only", *resource_words(options), "--wrap=true"]
    done = run(words, _ASK_SECONDS)
    said = done.err or done.out
    if done.code == 0:
        return _standing_of(options, run)
    if done.code is None or is_passing(said):
        return Trial(f"Slurm does not answer: {clean(said.strip(), 200)}")
    if is_closed(said):
        return Trial(f"{refusal(said, options)}; the runs would wait: {WAIT_OR_MOVE}")
    if is_unmet(said):  # a trial does not say whether one ever can
        return Trial(f"no node that is up can run the job ({asked(options)}); the runs would wait")
    return Trial(refusal(said, options), refused=True)


def _standing_of(options: Options, run: Call) -> Trial:
    """Return what happens to a job that Slurm accepts: its partition may be down, which a trial (--test-only) does not say."""
    done = run(["sinfo", "--noheader", "--all", "--format=%P|%a"], _ASK_SECONDS)
    lines = [line.strip().split("|") for line in clean_lines(done.out.encode(), _MOST_SHOWN)]
    states = {parts[0]: parts[1] for parts in lines if len(parts) > 1}
    wanted = partitions(options) or [name[:-1] for name in states if name.endswith("*")]
    found = {name.rstrip("*"): state for name, state in states.items()}
    closed = {name: found.get(name, "up") for name in wanted}
    if not closed or "up" in closed.values():
        return Trial("Slurm would take the job")
    told = " and ".join(f"partition {name} is {state.upper()}" for name, state in closed.items())
    return Trial(f"Slurm would take the job and not start it: {told}; {WAIT_OR_MOVE}")


def parsed(text: str) -> dict[int, Listed]:
    """Return squeue's answer by job id; a job whose waiting tasks were cancelled keeps a line without an index."""
    jobs: dict[int, Listed] = {}
    same: dict[tuple[str, str, str], Task] = {}
    for line in text.splitlines():
        parts = line.split("|", _PARTS)
        if len(parts) <= _PARTS or not parts[0].isdecimal():
            continue
        number, index, state, node, partition, limit, reason, comment = parts
        job = jobs.get(int(number))
        if job is None:
            given = Given(clean(partition, _MOST_SHOWN), seconds_of(limit))
            job = jobs[int(number)] = Listed(given)
        job.marks.update(_NAME.findall(comment)[:1])
        if index.isdecimal():
            said = state, reason, node
            if said not in same:
                same[said] = Task(
                    clean(state, _MOST_SHOWN),
                    clean(reason.strip("()"), _MOST_SHOWN),
                    clean(node, _MOST_SHOWN),
                )
            job.tasks[int(index)] = same[said]
    return jobs


def named(name: str, run: Call = call) -> bool | None:
    """Return whether a job of this name waits or runs; None if Slurm does not answer."""
    done = run(["squeue", "--me", "-h", "-n", name, "-o", "%F"], _ASK_SECONDS)
    return bool(done.out.strip()) if done.code == 0 else None


def refused_words(done: Done) -> str:
    """Return in one sentence why Slurm refused the supervisor's job; "" if it accepted it, or still may."""
    said = done.err or done.out
    if done.code in (0, None) or is_passing(said):
        return ""
    return supervisor_refusal(said)
