"""How the attempts of an experiment stand: claimed, alive, ended, lost; processes that nobody owns; metric lines that are garbled.

Identity is what it is everywhere in lrtui: boot id, pid, start time and token. Nothing is ever signalled here.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from lrtui.cli.doctor.finding import Finding, fail, listed, ok, warn
from lrtui.cli.doctor.tree import Tree
from lrtui.metrics import MetricLog, Reading
from lrtui.sweep.events import Plan
from lrtui.sweep.files import read_untrusted
from lrtui.sweep.layout import AttemptLayout
from lrtui.sweep.state import State, Sweep
from lrtui.workers import keeper
from lrtui.workers.launcher import Alive, Condition, Exited, Unclaimed, Vanished
from lrtui.workers.local import Local, PidFile

_OLD_BYTES = 1 << 28
"""Of one file of metric lines so much is read; beyond it counting is left to the monitor."""
_SHOWN = 10
"""Attempts with garbled lines that are named one by one."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One attempt that the journal knows, and how it stands."""

    name: str
    """Of its folder: r01-lr1e-03/a1."""
    token: str
    condition: Condition
    open: bool
    """Whether the journal expects a process: the latest attempt of a run that has not ended."""
    state: str


@dataclass
class Attempts:
    """All attempts of a sweep, looked at once."""

    root: Path
    looked: list[Looked] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Folders that the journal knows and the directory has not."""
    bearers: dict[str, list[int]] = field(default_factory=dict)
    """Living processes by the token in their environment."""

    @property
    def living(self) -> set[str]:
        """Folders of the attempts of which somebody is alive."""
        return {
            each.name
            for each in self.looked
            if isinstance(each.condition, Alive) or each.token in self.bearers
        }


def look(tree: Tree, sweep: Sweep) -> Attempts:
    """Return how each attempt stands; folders that are links, or lie elsewhere, are not looked into."""
    found = Attempts(tree.root, bearers=tokens())
    launcher = Local()
    for name, token, is_open, state in _known(sweep):
        if not tree.is_folder(name):
            if name not in tree.entries:
                found.missing.append(name)
            continue
        condition = launcher.condition(tree.root / name, token)
        found.looked.append(Looked(name, token, condition, is_open, state))
    return found


def _known(sweep: Sweep) -> Iterator[tuple[str, str, bool, str]]:
    """Yield (folder, token, whether a process is expected, state) of each attempt in the journal."""
    for run in sweep.runs.values():
        for attempt in run.attempts:
            latest = attempt is run.attempt
            is_open = latest and (run.alive or run.state is State.LOST)
            yield f"{run.folder}/a{attempt.number}", attempt.token, is_open, str(run.state)
    if sweep.data_attempt:
        preparing = sweep.preparing and sweep.closed is None
        yield f"data/a{sweep.data_attempt}", sweep.data_token, preparing, "preparing"


def tokens() -> dict[str, list[int]]:
    """Return the living processes that carry an LRTUI_TOKEN, by token: one pass over /proc for any number of attempts."""
    found: dict[str, list[int]] = {}
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                environ = file.read()
        except OSError:
            continue
        for word in environ.split(b"\0"):
            if word.startswith(b"LRTUI_TOKEN=") and keeper.bears(pid, word):
                found.setdefault(word.partition(b"=")[2].decode("ascii", "replace"), []).append(pid)
    return found


def standing(attempts: Attempts, *, supervised: bool) -> list[Finding]:
    """Say how the attempts stand, and what the journal does not know of."""
    groups: dict[str, list[str]] = {}
    for each in attempts.looked:
        groups.setdefault(_group(each, supervised=supervised), []).append(each.name)
    good = groups.pop("", [])
    found = [ok(f"{len(good)} of {len(attempts.looked)} attempts as the journal says")]
    again = f"lrtui {shlex.quote(str(attempts.root))}"
    for what, names in groups.items():
        text = f"{len(names)} {what}: {listed(names)}"
        found.append(warn(text, _NEXT[what].replace("AGAIN", again), str(attempts.root / names[0])))
    if attempts.missing:
        text = f"{len(attempts.missing)} without a folder (deleted?): {listed(attempts.missing)}"
        hint = f"their metric lines are gone; start such a run again: lrtui restart {shlex.quote(str(attempts.root))} RUN"
        found.append(warn(text, hint, str(attempts.root / attempts.missing[0])))
    return found


_NEXT = {
    "ended, and the journal does not know yet": "the next supervisor takes note of it: AGAIN",
    "alive without a supervisor": "they go on; this adopts them: AGAIN",
    "launched and never claimed": "the next supervisor launches it again: AGAIN",
    "ended without anybody to say how": "the next supervisor calls it finished or lost: AGAIN",
    "over, and without an exit.json": "their keeper was killed, or the machine went down; nothing to do",
}


def _group(each: Looked, *, supervised: bool) -> str:
    """Return what is to be said of an attempt, a key of _NEXT; "" where it is as the journal says."""
    match each.condition:
        case Exited():
            return (
                "ended, and the journal does not know yet" if each.open and not supervised else ""
            )
        case Alive():
            return "alive without a supervisor" if each.open and not supervised else ""
        case Unclaimed() if each.open:
            return "" if supervised else "launched and never claimed"
        case Vanished() if each.open:
            return "" if supervised else "ended without anybody to say how"
    return "over, and without an exit.json"


def orphans(attempts: Attempts) -> list[Finding]:
    """Name the processes that bear the token of an attempt that is over: a stop leaves none."""
    found = []
    for each in attempts.looked:
        pids = attempts.bearers.get(each.token, [])
        held = isinstance(each.condition, Alive)
        path = str(attempts.root / each.name)
        if each.open and not (isinstance(each.condition, Alive) and each.condition.orphans):
            continue
        if pids:
            words = ",".join(map(str, pids))
            what = f"{each.name} is over, and {len(pids)} process(es) with its token live: {words}"
            if each.open:
                what = f"{each.name} has lost its worker; what it started lives: {words}"
            hint = f"see what they are: ps -o pid,ppid,etime,args -p {words}   (lrtui ends nothing here; to end them: kill {words.replace(',', ' ')})"
            found.append(fail(what, hint, path))
        elif held:
            what = f"{each.name} is over, and its lock is held by somebody without its token"
            found.append(
                warn(what, f"see who has the folder open: fuser -v {shlex.quote(path)}", path)
            )
    return found or [ok("no process is left of an attempt that is over")]


def identities(tree: Tree, attempts: Attempts) -> list[Finding]:
    """Name the pid.json that cannot be believed: damaged, or of another attempt."""
    found = []
    for each in attempts.looked:
        path = AttemptLayout(attempts.root / each.name).pid
        if not tree.is_file(f"{each.name}/{path.name}"):
            continue
        who = _decode_pid(path)
        if who is None:
            what = f"{each.name}/pid.json is damaged"
        elif who.token != each.token:
            what = f"{each.name}/pid.json names processes of something else (worker {who.worker})"
        else:
            continue
        hint = "it is never believed, and nobody in it is ever signalled; the attempt is found by its token"
        found.append(warn(what, hint, str(path)))
    return found or [ok("every pid.json names its own attempt")]


def _decode_pid(path: Path) -> PidFile | None:
    try:
        return msgspec.json.decode(read_untrusted(path), type=PidFile)
    except (ValueError, RecursionError):
        return None


def strangers(tree: Tree, sweep: Sweep) -> list[Finding]:
    """Name the folders of attempts that the journal does not know."""
    known = {name for name, *_ in _known(sweep)}
    earlier = {f"data/a{number}" for number in range(1, sweep.data_attempt)}
    found = [
        name
        for name in tree.entries
        if tree.is_folder(name) and _is_attempt(name) and name not in known | earlier
    ]
    if not found:
        return [ok("the journal knows every attempt")]
    what = f"{len(found)} folder(s) of attempts that the journal does not know: {listed(found)}"
    return [
        warn(
            what,
            "nothing reads them; look at them, and remove what you do not need",
            str(tree.root / found[0]),
        )
    ]


def _is_attempt(name: str) -> bool:
    folder, _, base = name.rpartition("/")
    return bool(folder) and "/" not in folder and base[:1] == "a" and base[1:].isdecimal()


def measured(attempts: Attempts, plan: Plan | None) -> list[Finding]:
    """Count the metric lines, and those that are none."""
    if plan is None:
        return []
    lines, bad, found = 0, 0, []
    for each in attempts.looked:
        if each.name.startswith("data/"):
            continue
        log = MetricLog(attempts.root / each.name, Reading.of(plan))
        count = _drain(log)
        lines, bad = lines + count, bad + log.bad
        if log.bad:
            path = AttemptLayout(attempts.root / each.name).metrics
            what = f"{each.name}/metrics.jsonl: {log.bad} line(s) that are no metric line, beside {count} that are"
            hint = f"they are passed over; a metric line is one JSON object with a number for {plan.unit!r}: less {shlex.quote(str(path))}"
            found.append(warn(what, hint, str(path)))
    if len(found) > _SHOWN:
        what = f"{len(found) - _SHOWN} more attempts with such lines"
        hint = "mend the script that writes them: print one JSON object a line"
        found[_SHOWN:] = [warn(what, hint)]
    return [ok(f"{lines} metric lines, {bad} passed over"), *found]


def _drain(log: MetricLog) -> int:
    count, reads = 0, 0
    while reads < _OLD_BYTES >> 22:
        count += len(log.poll(1 << 22))
        reads += 1
        if not log.more:
            break
    return count
