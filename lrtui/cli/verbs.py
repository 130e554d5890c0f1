"""The table of verbs. To add one: a file with `add_arguments` and `run`, and a line in VERBS.

The files import nothing slow before `run` is called, because every start of lrtui imports all of them.
"""

from __future__ import annotations

import argparse
from typing import Protocol

from lrtui.cli import (
    add,
    check,
    completion,
    example,
    explain,
    export,
    freeze,
    init,
    kill,
    ls,
    parallel,
    pause,
    replay,
    report,
    restart,
    resume,
    serve,
    status,
    stop,
    try_out,
    watch,
)
from lrtui.cli import open as opening
from lrtui.cli.doctor import verb as doctor


class Verb(Protocol):
    """The file of one verb."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add what the verb takes."""

    def run(self, options: argparse.Namespace) -> int:
        """Run the verb; return the exit code.

        Raises:
            UserError: the request cannot be carried out.

        """


VERBS: dict[str, tuple[Verb, str]] = {
    "open": (opening, "start, attach to, or view an experiment (the verb may be left out)"),
    "check": (check, "validate a file and print what would run"),
    "try": (try_out, "run the command once, or read a saved log, and show what is read from it"),
    "status": (status, "print the current state"),
    "stop": (stop, "end the sweep; runs write their checkpoints"),
    "kill": (kill, "end a run"),
    "restart": (restart, "start an ended run again"),
    "pause": (pause, "let a run write its checkpoint and exit"),
    "resume": (resume, "continue a paused or frozen run"),
    "freeze": (freeze, "halt a run in memory"),
    "add": (add, "add runs with other learning rates"),
    "parallel": (parallel, "set how many runs train at once"),
    "explain": (explain, "say why a run waits, runs or ended"),
    "report": (report, "write the report: md, json, html, csv, and charts as svg and png"),
    "export": (export, "write the experiment for TensorBoard, W&B or MLflow, or as CSV or Parquet"),
    "serve": (serve, "show the monitor in a browser; Ctrl-C ends it, the runs continue"),
    "replay": (replay, "play a recorded sweep again in the monitor; launches nothing"),
    "watch": (watch, "show the monitor on runs that lrtui did not start; read only"),
    "ls": (ls, "list the experiments under runs/"),
    "init": (init, "propose an experiment file for a training script, from its source"),
    "example": (example, "list the experiments that come with lrtui, or write one here"),
    "completion": (completion, "print a script that completes lrtui's words in bash, zsh or fish"),
    "doctor": (doctor, "check this machine, or an experiment directory"),
}
"""Each verb with its line of help."""
