"""The words that can be typed, and what each does. To add one: a function and a line in VERBS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lrtui.errors import DETACHED
from lrtui.frontend import requests
from lrtui.frontend.explain import explanation
from lrtui.frontend.failure import about_output
from lrtui.frontend.screenreader.conversation import Conversation, PendingQuestion
from lrtui.frontend.screenreader.sentences import called, leads, progress, standing
from lrtui.frontend.snapshot import DirectoryReader, Snapshot
from lrtui.frontend.state_style import style_of
from lrtui.frontend.undo import undoing
from lrtui.sweep.allowed import Namer, Refusal
from lrtui.sweep.events import AnyCommand
from lrtui.sweep.state import Run, Sweep
from lrtui.text.format import count, lr_text

_OUTPUT_LINES = 10


def do(talk: Conversation, snapshot: Snapshot, words: list[str], view_only: str) -> None:
    """Carry out what was typed; `view_only` says why no command can be sent."""
    verb = VERBS.get(words[0].lower())
    if verb is None:
        talk.say(f"{words[0]} is not a command. The commands are: {', '.join(VERBS)}.")
    elif verb.acts and view_only:
        talk.say(f"This can only be viewed: {view_only}.")
    else:
        verb.does(talk, snapshot, words[1:])


def _help(talk: Conversation, _snapshot: Snapshot, _words: list[str]) -> None:
    for name, verb in VERBS.items():
        talk.say(f"{name}{f' {verb.takes}' if verb.takes else ''}: {verb.what}.")


def _status(talk: Conversation, snapshot: Snapshot, _words: list[str]) -> None:
    counts: dict[str, int] = {}
    for run in snapshot.sweep.trained():
        word = style_of(run.ending.kind if run.ending else str(run.state)).word
        counts[word] = counts.get(word, 0) + 1
    talk.say(", ".join(f"{n} {word}" for word, n in counts.items()).capitalize() + ".")
    first = next((row for row in snapshot.standings if row.value is not None), None)
    if first is not None:
        talk.say(f"{leads(snapshot, first)}.")
    if snapshot.sweep.brake:
        talk.say(f"No run is launched: {snapshot.sweep.brake}.")
    if snapshot.supervisor != "alive":
        talk.say(f"The supervisor is {snapshot.supervisor}.")


def _list(talk: Conversation, snapshot: Snapshot, _words: list[str]) -> None:
    for row in snapshot.standings:
        talk.say(f"{standing(snapshot, row)}.")
    if not snapshot.standings:
        talk.say("No run yet.")


def _explain(talk: Conversation, snapshot: Snapshot, words: list[str]) -> None:
    run = talk.run_named(snapshot, words)
    if run is not None:
        lines = explanation(snapshot.sweep, run, talk.directory)
        for line in (*lines, *about_output(snapshot, run)):
            talk.say(line.strip())


def _output(talk: Conversation, snapshot: Snapshot, words: list[str]) -> None:
    run = talk.run_named(snapshot, words)
    if run is None:
        return
    watcher = DirectoryReader(talk.directory)
    while watcher.snapshot().reading:
        pass
    for line in watcher.output(run.id, _OUTPUT_LINES) or ["There is no output yet."]:
        talk.say(line)


# ---------------------------------------------------------------- verbs that act


def _kill(talk: Conversation, snapshot: Snapshot, words: list[str]) -> None:
    run = talk.run_named(snapshot, words)
    if run is None:
        return
    name = called(snapshot.sweep, run)
    asked = requests.kill(snapshot.sweep, run, partial(called, snapshot.sweep))
    if isinstance(asked, Refusal):
        talk.say(f"{asked}.")
    else:
        talk.ask(PendingQuestion((asked,), f"Killing {name}"), f"Kill {progress(snapshot, run)}?")


def _restart(talk: Conversation, snapshot: Snapshot, words: list[str]) -> None:
    if words == ["failed"]:
        asked = requests.restart_failed(snapshot.sweep, partial(called, snapshot.sweep))
        if isinstance(asked, Refusal):
            talk.say(f"{asked}.")
        else:
            doing = f"Restarting {count(len(asked), 'failed run')}"
            talk.send(PendingQuestion(asked, doing, remember=False), snapshot)
        return
    run = talk.run_named(snapshot, words)
    if run is None:
        return
    name = called(snapshot.sweep, run)
    named = partial(called, snapshot.sweep)
    if run.alive:
        both = requests.kill_and_restart(snapshot.sweep, run, named)
        if isinstance(both, Refusal):
            talk.say(f"{both}.")
        else:
            question = f"Kill {progress(snapshot, run)}, and start it again from scratch?"
            talk.ask(PendingQuestion(both, f"Restarting {name}"), question)
    else:
        _send(talk, snapshot, requests.restart(snapshot.sweep, run, named), f"Restarting {name}")


def _send(talk: Conversation, snapshot: Snapshot, asked: AnyCommand | Refusal, doing: str) -> None:
    if isinstance(asked, Refusal):
        talk.say(f"{asked}.")
    else:
        talk.send(PendingQuestion((asked,), doing), snapshot)


def _to_run(
    request: Callable[[Sweep, Run, Namer], AnyCommand | Refusal],
) -> Callable[[Conversation, Snapshot, list[str]], None]:
    """Return what a word does that sends one command to the run that it names."""

    def does(talk: Conversation, snapshot: Snapshot, words: list[str]) -> None:
        run = talk.run_named(snapshot, words)
        if run is not None:
            named = partial(called, snapshot.sweep)
            _send(talk, snapshot, request(snapshot.sweep, run, named), f"Asking {named(run)}")

    return does


def _add(talk: Conversation, snapshot: Snapshot, words: list[str]) -> None:
    lr = requests.read_lr(words[0] if words else "")
    if isinstance(lr, str):
        talk.say(f"{lr}.")
        return
    like = talk.run_named(snapshot, words[2:]) if words[1:2] == ["like"] else None
    if words[1:] and like is None:
        return
    asked = requests.add(
        snapshot.sweep, lr, like.id if like else None, named=partial(called, snapshot.sweep)
    )
    _send(talk, snapshot, asked, f"Adding {lr_text(lr)}")


def _parallel(talk: Conversation, snapshot: Snapshot, words: list[str]) -> None:
    if not words or not words[0].isdecimal():
        talk.say(f"{snapshot.sweep.parallel} at a time. To change it: parallel 3.")
        return
    asked = requests.parallel(snapshot.sweep, int(words[0][:9]))
    _send(talk, snapshot, asked, f"{words[0]} at a time")


def _undo(talk: Conversation, snapshot: Snapshot, _words: list[str]) -> None:
    if not talk.deeds:
        talk.say("There is nothing to undo.")
        return
    sweep = snapshot.sweep
    found = undoing(talk.deeds.pop(), sweep, partial(called, sweep))
    if isinstance(found, Refusal):
        talk.say(f"{found}.")
        return
    asked = PendingQuestion(
        (found.command,), f"{found.says[:1].upper()}{found.says[1:]}", remember=False
    )
    if found.victim:
        talk.ask(asked, f"Kill {found.victim}?")
    else:
        talk.send(asked, snapshot)


def _stop(talk: Conversation, snapshot: Snapshot, _words: list[str]) -> None:
    stop = requests.stop(snapshot.sweep)
    if isinstance(stop, Refusal):
        talk.say(f"{stop}.")
        return
    live = count(len(snapshot.sweep.alive()), "run")
    asked = PendingQuestion((stop,), "Stopping all runs", remember=False)
    talk.ask(asked, f"End the sweep? {live} will write a checkpoint and end.")


def _quit(talk: Conversation, snapshot: Snapshot, _words: list[str]) -> None:
    talk.say(f"The runs continue. To come back: lrtui {talk.directory} --plain")
    closed = snapshot.sweep.closed
    talk.left = DETACHED if closed is None else closed.code


@dataclass(frozen=True, slots=True)
class Verb:
    """One word that can be typed."""

    does: Callable[[Conversation, Snapshot, list[str]], None]
    what: str
    takes: str = ""
    acts: bool = False


VERBS: dict[str, Verb] = {
    "help": Verb(_help, "says all commands"),
    "status": Verb(_status, "says how many runs are in each state, and which leads"),
    "list": Verb(_list, "says the state of every run, the best first"),
    "explain": Verb(_explain, "says why a run waits, runs or ended", "C"),
    "output": Verb(_output, "reads out the last lines that a run printed", "C"),
    "kill": Verb(_kill, "ends a run, after a question", "C", acts=True),
    "restart": Verb(
        _restart, "starts a run again from scratch, or all that failed", "C or failed", acts=True
    ),
    "pause": Verb(
        _to_run(requests.pause), "lets a run write its checkpoint and end", "C", acts=True
    ),
    "freeze": Verb(_to_run(requests.freeze), "halts a run in memory", "C", acts=True),
    "resume": Verb(_to_run(requests.resume), "continues a paused or frozen run", "C", acts=True),
    "add": Verb(
        _add, "adds a run, optionally with the other settings of C", "5e-4 [like C]", acts=True
    ),
    "parallel": Verb(_parallel, "sets how many run at a time", "3", acts=True),
    "undo": Verb(_undo, "undoes what you did last here", acts=True),
    "stop": Verb(_stop, "ends the sweep, after a question", acts=True),
    "quit": Verb(_quit, "leaves; the runs continue"),
}
"""To add a word: one line here and one function above. C stands for a run: its letter, its id or its learning rate."""
