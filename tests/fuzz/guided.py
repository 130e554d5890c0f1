"""Spoiled files that find their own way: `python -m tests.fuzz.guided [TARGET ..] [--seconds 60]`, with atheris installed.

libFuzzer watches which lines of lrtui an input reaches and goes on from those that reach new ones; it begins with the good texts
and the pieces of `mutate.py`. What is read and what must hold is that of `tests.fuzz`, and beside it what people type:

    metrics, journal, letter, experiment    as there
    search                                  the leaderboard's filter, of which a fault is told as a text
    pattern                                 an experiment's pattern for metric lines: none that backtracks for ever is taken
    shown                                   what a worker wrote, made ready for the terminal

Each target runs in a fork of its own for so many seconds: lrtui is instrumented once. An exception ends it with the input that raised it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

LONGEST = 4096
SEED = 1
"""The same inputs where as many fit into the seconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    instrument()
    worst = 0
    for name in options.targets or TARGETS:
        with tempfile.TemporaryDirectory(prefix="lrtui-guided-") as folder:
            code, said = forked(name, Path(folder), options.seconds)
        done = [line.split() for line in said if "DONE" in line]
        if code or not done:
            worst = 1
            wrong = next((n for n, line in enumerate(said) if "Uncaught" in line), -60)
            told = [line for line in said[wrong:] if not line.startswith("#")]
            print(f"{name}: ended by itself", *told, sep="\n", flush=True)
        else:
            print(
                f"{name}: {done[0][0].strip('#')} inputs, {done[0][3]} places reached", flush=True
            )
    sys.exit(worst)


def instrument() -> None:
    """Import all of lrtui that a target calls, so that libFuzzer sees which lines are reached."""
    import atheris

    with atheris.instrument_imports(include=["lrtui"]), tempfile.TemporaryDirectory() as folder:
        for name, target in TARGETS.items():
            (place := Path(folder) / name).mkdir()
            target(place)


def forked(name: str, folder: Path, seconds: int) -> tuple[int, list[str]]:
    """Fuzz one target in a fork; return its exit code and what it printed."""
    with tempfile.TemporaryFile() as said:
        pid = os.fork()
        if pid == 0:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            inside(name, folder, seconds)
            sys.exit("libFuzzer came back")
        _, status = os.waitpid(pid, 0)
        said.seek(0)
        return os.waitstatus_to_exitcode(status), said.read().decode(
            "utf-8", "replace"
        ).splitlines()


def inside(name: str, folder: Path, seconds: int) -> None:
    """Fuzz one target in this process, which libFuzzer ends."""
    import atheris

    from tests.fuzz.mutate import PIECES

    target, seeds = TARGETS[name](folder)
    corpus, dictionary = folder / "corpus", folder / "pieces"
    corpus.mkdir()
    for number, seed in enumerate(seeds):
        (corpus / f"{number}").write_bytes(seed)
    short = (piece.hex("x") for piece in PIECES if len(piece) <= 64)
    dictionary.write_text("".join('"\\x' + piece.replace("x", "\\x") + '"\n' for piece in short))
    words = [
        f"-dict={dictionary}",
        f"-max_len={LONGEST}",
        f"-max_total_time={seconds}",
        f"-seed={SEED}",
    ]
    words += [f"-artifact_prefix={folder}/", "-rss_limit_mb=2048", "-timeout=20", "-verbosity=1"]
    atheris.Setup([sys.argv[0], *words, str(corpus)], target, enable_python_coverage=True)
    atheris.Fuzz()


Target = tuple[Callable[[bytes], None], list[bytes]]


def metrics(folder: Path) -> Target:
    from tests.fuzz import __main__ as fuzz

    attempt = folder / "a1"
    attempt.mkdir()

    def target(text: bytes) -> None:
        name = "output.log" if text[:1] < b"@" else "metrics.jsonl"
        fuzz.read_metrics(text, attempt, name, "epoch")

    return target, [*fuzz.LINES, b"\n".join(fuzz.LINES)]


def journal(folder: Path) -> Target:
    from tests.fuzz import __main__ as fuzz

    def target(text: bytes) -> None:
        fuzz.read_journal(text, folder / "journal.jsonl")

    return target, [
        b"\n".join(fuzz.EVENTS[: count + 1]) + b"\n" for count in range(len(fuzz.EVENTS))
    ]


def letter(_: Path) -> Target:
    from tests.fuzz import __main__ as fuzz

    sweep = fuzz.sweep_of_letters()
    return lambda text: void(fuzz.read_letter(text, sweep)), fuzz.LETTERS


def experiment(_: Path) -> Target:
    from tests.fuzz import __main__ as fuzz

    return lambda text: void(fuzz.read_experiment(text)), fuzz.experiments()


def search(_: Path) -> Target:
    from lrtui.analysis.ranking import rank
    from lrtui.frontend import run_filter
    from tests.fuzz import __main__ as fuzz

    rows = rank(fuzz.sweep_of_letters(), {})

    def target(text: bytes) -> None:
        found = run_filter.matcher(text.decode("utf-8", "replace"))
        if isinstance(found, str):
            assert found, "a fault without words"
        else:
            for row in rows:
                found(row)

    return target, [b"lr>=1e-3 state:running -adam", b"r01", b"lr<1e-2 !sgd reason:nan"]


def pattern(_: Path) -> Target:
    import re

    from lrtui.text.clean import runaway

    lines = ("epoch 3 loss=0.5 acc=0.9", "a" * 30 + "!", " " * 30 + "x", "1" * 30 + "e")

    def target(text: bytes) -> None:
        said = text.decode("utf-8", "replace")
        try:
            expression = re.compile(said)
        except (re.error, RecursionError, OverflowError):
            return
        if not runaway(said):
            for line in lines:
                expression.search(line)

    return target, [b"epoch (?P<epoch>\\d+).*loss=(?P<train_loss>\\S+)", b"(a+)+$", b"(x|y)*z"]


def shown(_: Path) -> Target:
    from lrtui.text.clean import clean, clean_lines
    from tests.fuzz import __main__ as fuzz

    def target(text: bytes) -> None:
        assert not fuzz.CONTROL.search(clean(text))
        for line in clean_lines(text):
            assert not fuzz.CONTROL.search(line)

    return target, [b"epoch 3\r\x1b[31mred\x1b[0m\n", "größe \u202e".encode(), *fuzz.LINES]


def void(_: object) -> None:
    """Return nothing, which libFuzzer wants."""


TARGETS: dict[str, Callable[[Path], Target]] = {
    each.__name__: each for each in (metrics, journal, letter, experiment, search, pattern, shown)
}

if __name__ == "__main__":
    main()
