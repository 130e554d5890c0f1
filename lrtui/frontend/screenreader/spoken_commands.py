"""The words that can be typed, and what each does. To add one: a function and a line in VERBS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lrtui.frontend import requests
from lrtui.frontend.explain import explanation
from lrtui.frontend.screenreader.conversation import Conversation, PendingQuestion
from lrtui.frontend.screenreader.sentences import called, leads, progress, standing
from lrtui.frontend.snapshot import DirectoryReader, Snapshot
from lrtui.frontend.state_style import style_of
from lrtui.frontend.undo import undoing
from lrtui.sweep import events as ev
from lrtui.sweep.state import Run, lr_text

_OUTPUT_LINES = 10


def do(talk: Conversation, snapshot: Snapshot, words: list[str], view_only: str) -> None:
    """Do what was typed; `view_only` says why nothing can be asked for."""
    verb = VERBS.get(words[0].lower())
    if verb is None:
        talk.say(f"{words[0]} is no command. There are: {', '.join(VERBS)}.")
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
        for line in explanation(snapshot.sweep, run, talk.directory):
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
    asked = requests.kill(run, name)
    if isinstance(asked, str):
        talk.say(f"{asked}.")
    else:
        talk.ask(PendingQuestion((asked,), f"Killing {name}"), f"Kill {progress(snapshot, run)}?")


def _restart(talk: Conversation, snapshot: Snapshot, words: list[str]) -> None:
    run = talk.run_named(snapshot, words)
    if run is None:
        return
    name = called(snapshot.sweep, run)
    asked, killed = requests.restart(run, name), requests.kill(run, name)
    if isinstance(asked, str):
        talk.say(f"{asked}.")
    elif run.alive and not isinstance(killed, str):
        doing = PendingQuestion((killed, asked), f"Restarting {name}")
        talk.ask(doing, f"Kill {progress(snapshot, run)}, and start it again from scratch?")
    else:
        talk.send(PendingQuestion((asked,), f"Restarting {name}"), snapshot)


def _held(
    talk: Conversation,
    snapshot: Snapshot,
    words: list[str],
    how: Callable[[Run, str], ev.AnyCommand | str],
) -> None:
    run = talk.run_named(snapshot, words)
    if run is None:
        return
    name = called(snapshot.sweep, run)
    asked = how(run, name)
    if isinstance(asked, str):
        talk.say(f"{asked}.")
    else:
        talk.send(PendingQuestion((asked,), f"Asking {name}"), snapshot)


def _pause(talk: Conversation, snapshot: Snapshot, words: list[str]) -> None:
    _held(talk, snapshot, words, lambda run, _: ev.PauseRun(run=run.id))


def _freeze(talk: Conversation, snapshot: Snapshot, words: list[str]) -> None:
    _held(talk, snapshot, words, lambda run, _: ev.FreezeRun(run=run.id))


def _resume(talk: Conversation, snapshot: Snapshot, words: list[str]) -> None:
    _held(talk, snapshot, words, lambda run, _: ev.ResumeRun(run=run.id))


def _add(talk: Conversation, snapshot: Snapshot, words: list[str]) -> None:
    lr = requests.read_lr(words[0] if words else "")
    if isinstance(lr, str):
        talk.say(f"{lr}.")
        return
    like = talk.run_named(snapshot, words[2:]) if words[1:2] == ["like"] else None
    if words[1:] and like is None:
        return
    talk.send(PendingQuestion((requests.add(lr, like),), f"Adding {lr_text(lr)}"), snapshot)


def _parallel(talk: Conversation, snapshot: Snapshot, words: list[str]) -> None:
    if not words or not words[0].isdecimal():
        talk.say(f"{snapshot.sweep.parallel} at a time. To change it: parallel 3.")
        return
    asked = requests.parallel(0, int(words[0]))
    if isinstance(asked, str):
        talk.say(f"{asked}.")
    else:
        talk.send(PendingQuestion((asked,), f"{words[0]} at a time"), snapshot)


def _undo(talk: Conversation, snapshot: Snapshot, _words: list[str]) -> None:
    if not talk.deeds:
        talk.say("Nothing was done here that could be undone.")
        return
    sweep = snapshot.sweep
    found = undoing(talk.deeds.pop(), sweep, lambda run: called(sweep, sweep.runs[run]))
    if isinstance(found, str):
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
    live = len(snapshot.sweep.alive())
    asked = PendingQuestion((ev.StopSweep(),), "Stopping all runs", remember=False)
    talk.ask(asked, f"End the sweep? {live} runs write their checkpoint and end.")


def _quit(talk: Conversation, _snapshot: Snapshot, _words: list[str]) -> None:
    talk.say(f"The runs go on. To come back: lrtui {talk.directory} --plain")
    talk.left = 0


@dataclass(frozen=True, slots=True)
class Verb:
    """One word that can be typed."""

    does: Callable[[Conversation, Snapshot, list[str]], None]
    what: str
    takes: str = ""
    acts: bool = False


VERBS: dict[str, Verb] = {
    "help": Verb(_help, "says all commands"),
    "status": Verb(_status, "says how many runs do what, and who leads"),
    "list": Verb(_list, "says how every run does, the best first"),
    "explain": Verb(_explain, "says why a run waits, runs or ended", "C"),
    "output": Verb(_output, "reads out the last lines that a run printed", "C"),
    "kill": Verb(_kill, "ends a run, after a question", "C", acts=True),
    "restart": Verb(_restart, "starts a run again from scratch", "C", acts=True),
    "pause": Verb(_pause, "lets a run write its checkpoint and end", "C", acts=True),
    "freeze": Verb(_freeze, "halts a run in memory", "C", acts=True),
    "resume": Verb(_resume, "goes on with a paused or frozen run", "C", acts=True),
    "add": Verb(
        _add, "adds a run, with the other settings of C if you like", "5e-4 [like C]", acts=True
    ),
    "parallel": Verb(_parallel, "sets how many run at a time", "3", acts=True),
    "undo": Verb(_undo, "undoes what you did last here", acts=True),
    "stop": Verb(_stop, "ends the sweep, after a question", acts=True),
    "quit": Verb(_quit, "leaves; the runs go on"),
}
"""To add a word: one line here and one method above. C stands for a run: its letter, its id or its learning rate."""
