"""`lrtui add DIR --lr LR [LR ...]`: add runs with other learning rates."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lrtui.cli.arguments import add_directory


class _Rates(argparse.Action):
    """Takes one or more learning rates, and DIR if it follows them: `lrtui add --lr 1e-3 DIR`."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,  # noqa: ARG002  # argparse passes it
    ) -> None:
        words = list(values)
        if len(words) > 1 and namespace.directory is None and _rate(words[-1]) is None:
            namespace.directory = Path(words.pop())
            for each in parser._get_positional_actions():  # noqa: SLF001  # argparse would miss DIR
                each.required = False
        rates = {word: _rate(word) for word in words}
        wrong = [word for word, rate in rates.items() if rate is None]
        if wrong:
            raise argparse.ArgumentError(self, f"invalid float value: {wrong[0]!r}")
        namespace.lr = [rates[word] for word in words]


def _rate(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `add` takes."""
    add_directory(parser)
    parser.add_argument(
        "--lr", action=_Rates, nargs="+", required=True, help="the learning rates of the new runs"
    )
    parser.add_argument("--like", metavar="RUN", help="take the other settings of this run")
    parser.add_argument(
        "--seed", type=int, help="its seed (default: that of RUN, else of the first run)"
    )


def run(options: argparse.Namespace) -> int:
    """Send the command; return the exit code."""
    from lrtui.cli.sending import command_sweep
    from lrtui.frontend import requests

    return command_sweep(
        options.directory,
        lambda sweep: tuple(
            requests.add(sweep, lr, options.like, seed=options.seed) for lr in options.lr
        ),
    )
