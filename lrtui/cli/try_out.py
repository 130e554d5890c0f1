"""`lrtui try FILE.toml`: run the command once for a few seconds, or read a saved log, and show what is read from each kind of line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lrtui.cli.arguments import add_overrides, overrides

if TYPE_CHECKING:
    from lrtui.config import Experiment
    from lrtui.frontend.trial_report import Heard
    from lrtui.supervisor.trial import Trial

_SECONDS = 30.0
_MORE = 10
"""The time that is advised if the metric did not come, as a multiple of the time that was given."""
_BETWEEN_SECONDS = 0.1
"""Seconds between two reads of the output."""
_LAST_LINES = 10
_MOST_BYTES = 1 << 25
"""At most this many bytes of a log are read."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `try` takes."""
    parser.add_argument("path", type=Path, metavar="FILE.toml")
    parser.add_argument(
        "--seconds",
        type=float,
        default=_SECONDS,
        metavar="N",
        help="stop the script after N seconds (default 30); it is stopped earlier when the metric was read twice",
    )
    parser.add_argument("--log", type=Path, metavar="FILE", help="read a saved log; nothing is run")
    add_overrides(parser)


def run(options: argparse.Namespace) -> int:
    """Print what was read; return 0 if the deciding metric was read, else 1."""
    from lrtui.config import load
    from lrtui.errors import UserError
    from lrtui.frontend.trial_report import Heard
    from lrtui.metrics import Reading
    from lrtui.supervisor.planning import resolve

    experiment = load(options.path, overrides(options))
    if experiment.builtin:
        raise UserError(
            "has no command of yours to try: the built-in trainer trains",
            str(options.path),
            f"lrtui check {options.path} shows what would run",
        )
    heard = Heard(Reading.of(resolve(experiment, experiment.path, on_cpu=True)))
    stopped = False
    if options.log:
        heard.log(_saved(options.log))
    else:
        stopped = _run(options, experiment, heard)
    for line in heard.report(stopped=stopped):
        print(line)
    return 0 if heard.has_metric else 1


def _saved(path: Path) -> bytes:
    """Return a saved log, which ends with a newline.

    Raises:
        UserError: it cannot be read.

    """
    from lrtui.errors import UserError

    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).removesuffix(b"\n") + b"\n"
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", str(path)) from None


def _run(options: argparse.Namespace, experiment: Experiment, heard: Heard) -> bool:
    """Run the command in a temporary directory, print how it ended, and return whether it was stopped."""
    import shlex
    import tempfile

    from lrtui.config.directory import open_experiment, read_experiment
    from lrtui.frontend.trial_report import first_run
    from lrtui.supervisor.trial import Trial
    from lrtui.sweep.files import read_end
    from lrtui.text.clean import clean
    from lrtui.text.format import duration

    with tempfile.TemporaryDirectory(prefix="lrtui-try-") as place:
        given = overrides(options)
        directory, _ = open_experiment(
            options.path, given, under=Path(place, experiment.name), new=False
        )
        trial = Trial(directory, read_experiment(directory), first_run(experiment))
        try:
            print(f"{clean(shlex.join(trial.argv()))}", flush=True)
            if trial.program:
                print(clean(f"{trial.argv()[0]} is {trial.program}"))
            print(f"runs for at most {duration(options.seconds)}; Ctrl-C ends it\n", flush=True)
            interrupted = _follow(trial, heard, options.seconds)
        finally:
            trial.stop()
        heard.wrote(
            *(
                read_end(f, _MOST_BYTES)
                for f in (trial.files.output, trial.files.metrics, trial.files.read)
            )
        )
        for line in _ended(trial, heard, None if interrupted else options.seconds):
            print(line)
        return trial.ending is None


def _follow(trial: Trial, heard: Heard, seconds: float) -> bool:
    """Read what the attempt writes until it has ended, the time is up, or the deciding metric was read twice; return whether Ctrl-C came first."""
    import time

    heard.follow(trial.log.capture)
    try:
        while True:
            over = trial.over()
            found = trial.log.poll()
            heard.measured(found, time.monotonic() - trial.began)
            if over and not trial.log.more and not found:
                return False
            if heard.evaluations > 1 or time.monotonic() - trial.began > seconds:
                return False
            time.sleep(_BETWEEN_SECONDS)
    except KeyboardInterrupt:
        return True


def _ended(trial: Trial, heard: Heard, seconds: float | None) -> list[str]:
    """Return how the script ended, with its last lines if it failed; it had at most `seconds`, None if Ctrl-C ended it."""
    import time

    from lrtui.sweep.files import read_last_lines
    from lrtui.text.clean import clean, clean_lines
    from lrtui.text.format import duration

    after = duration(time.monotonic() - trial.began)
    ending = trial.ending
    if trial.warnings:
        return [*map(clean, trial.warnings), ""]
    if ending is None:
        metric = clean(heard.metric)
        if heard.evaluations > 1:
            return [f"stopped after {after}: {metric} was read twice", ""]
        if seconds is None:
            return [f"stopped after {after} by Ctrl-C", ""]
        later = (
            f"; if {metric} comes later, give it more: --seconds {_MORE * max(1, round(seconds))}"
        )
        return [f"stopped after {after}: time is up{later * (not heard.has_metric)}", ""]
    if ending.code == 0:
        return [f"it ended after {after} with exit code 0", ""]
    how = f"exit code {ending.code}" if ending.signal is None else f"signal {ending.signal}"
    last = clean_lines(read_last_lines(trial.files.output, 1 << 16))[-_LAST_LINES:]
    return [f"it failed after {after} with {how}; its last lines:", *(f"  {x}" for x in last), ""]
