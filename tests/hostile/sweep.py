"""A recorded sweep in which a stranger wrote the hostile texts wherever text can stand."""

from __future__ import annotations

import json
from pathlib import Path

from lrtui.sweep import events as ev
from lrtui.sweep.journal import JournalTail
from lrtui.sweep.layout import Layout
from tests import recorded
from tests.hostile.texts import TEXTS

STAND_IN = "\uf8ff"
"""For half a surrogate pair, which JSON can say and UTF-8 cannot."""
_SETTING = {"lr": 1e-3}


def make(directory: Path, *, elsewhere: str = "", beat: bool = False) -> Path:
    """Write it and return it: names, settings, reasons and flags in the journal, keys and lines in the files of runs."""
    made = recorded.make(directory, hostile=True, elsewhere=elsewhere, beat=beat)
    _journal(Layout(made).journal)
    for place, attempt in enumerate(sorted(made.glob("r*/a1"))):
        _spoil_run(attempt, TEXTS[place:] + TEXTS[:place])
    return made


def _journal(journal: Path) -> None:
    n = sum(1 for _ in JournalTail(journal).rest())
    with journal.open("ab") as file:
        for event in _events():
            n += 1
            fields = {name: getattr(event, name) for name in event.__struct_fields__}
            numbered = type(event)(**fields | {"v": ev.VERSION, "n": n, "at": recorded.CLOCK + n})
            line = ev.encode(numbered).replace(STAND_IN.encode(), rb"\ud800")
            file.write(line + b"\n")


def _events() -> list[ev.AnyEvent]:
    """Return every kind of event that has a text in it, with every text."""
    found: list[ev.AnyEvent] = []
    texts = [text.replace("\ud800", STAND_IN) for text in TEXTS]
    for place, text in enumerate(texts):
        own = ev.Setting(**_SETTING, optimizer=text, schedule=text, values={"note": text})
        run, test = f"x{place}{text[:300]}", f"t{place}{text[:300]}"
        found += [
            ev.RunQueued(run=run, setting=own, seed=place, until=20.0, why=text),
            ev.RunFlagged(run="r01", attempt=1, rule="stalled", why=text),
            ev.RunEnded(run=run, attempt=0, kind="killed", why=text),
            ev.RunQueued(run=test, setting=own, seed=1, until=20.0, lr_to=10.0, lr_steps=9),
            ev.RangeTested(run=test, valley=1e-3, points=9, why=text),
            ev.RunEnded(run=test, attempt=0, kind="finished", why=text),
            ev.RungClosed(
                group=ev.GroupKey(text, text), level=2.0, kept=(run,), pruned=(text,), why=text
            ),
            ev.CommandDone(command=text, ok=False, answer=text, hint=text, by=text),
            ev.Warned(text=text, run=run),
        ]
    every = "".join(texts)
    return [
        *found,
        ev.BrakeSet(on=True, why=every),
        ev.VerdictReached(lr=1e-3, why=tuple(texts)),
        ev.SweepClosed(code=1, why=every[:5000]),
    ]


def _spoil_run(attempt: Path, texts: tuple[str, ...]) -> None:
    """Write the texts as settings, metric keys, values and lines of one run."""
    setting = json.loads((attempt.parent / "run.json").read_text())
    setting |= {text: text for text in texts}
    (attempt.parent / "run.json").write_text(json.dumps(setting))
    with (attempt / "output.log").open("ab") as file:
        for text in texts:
            file.write(text.encode("utf-8", "surrogatepass") + b"\n")
    with (attempt / "metrics.jsonl").open("ab") as file:
        for text in texts:
            line = {"epoch": 19.5, text: 1.0, "odd/" + text[:40]: 2.0, "val_acc": text}
            file.write(json.dumps(line).encode() + b"\n")
