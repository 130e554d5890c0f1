"""The parser, and `main`: the only place that prints an error to the user.

`lrtui FILE.toml` and `lrtui DIR` need no verb: they mean `lrtui open`. The verbs are in `verbs.VERBS`, one file each.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from collections.abc import Sequence

from lrtui import __version__
from lrtui.cli.verbs import VERBS
from lrtui.errors import DETACHED, MachineError, OwnedElsewhereError, UserError

BUG_EXIT = 3

_OPTIONS = ("-h", "--help", "--version")
"""The options that need no verb."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run lrtui with the given words (default: those of the process); return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _require_linux()
        if "_ARGCOMPLETE" in os.environ:
            from lrtui.cli import completion

            completion.reply(*_parsers())
        if not words:
            from lrtui.cli import welcome

            return welcome.run()
        options = _parse(words)
        return VERBS[options.verb][0].run(options)
    except UserError as error:
        print(f"lrtui: {error}" if not hasattr(error, "faults") else str(error), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return DETACHED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        told = _unreadable(error)
        print(f"lrtui: {told}", file=sys.stderr)
        return told.exit_code
    except Exception:  # noqa: BLE001  # nothing may escape as a traceback
        return _bug()


def _require_linux() -> None:
    if sys.platform != "linux":
        raise MachineError(
            f"lrtui needs Linux, this is {sys.platform}",
            hint="on Windows run it in WSL2; from a Mac use it on the training machine, over SSH",
        )


def _unreadable(error: OSError) -> UserError:
    """Return in words why a file cannot be read or written, and whom to ask if its folder belongs to another user."""
    where, why = str(error.filename or ""), str(error.strerror or error)
    if isinstance(error, PermissionError) and where:
        folder = os.path.dirname(os.path.abspath(where))
        owner = os.stat(folder).st_uid if os.path.exists(folder) else os.geteuid()
        if owner != os.geteuid():
            hint = f"the folder belongs to another user (uid {owner}), who can let you view it: chmod -R a+rX {shlex.quote(folder)}"
            return OwnedElsewhereError(why, where, hint)
    return MachineError(why, where)


def _bug() -> int:
    import tempfile  # needed only here, and costs every start 5 ms
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="lrtui-bug-", suffix=".log", delete=False) as file:
        traceback.print_exc(file=file)
    print(
        f"lrtui: internal error in lrtui, not in your experiment; details: {file.name}",
        file=sys.stderr,
    )
    print(
        "  Runs continue; `lrtui DIR` attaches again. Please add the file to a bug report in lrtui's issue tracker.",
        file=sys.stderr,
    )
    return BUG_EXIT


def _parse(words: list[str]) -> argparse.Namespace:
    """Return the options of a command line.

    Raises:
        UserError: a verb or an option is misspelt, or a word is too many.

    """
    parser, verbs = _parsers()
    options, more = parser.parse_known_args(_with_verb(words))
    if not more:
        return options
    word = more[0].partition("=")[0]
    if not word.startswith("-"):
        raise UserError("is one word too many", word, f"lrtui help {options.verb}")
    import difflib

    known = re.findall(r"--[a-z-]+", dict(verbs.choices or {})[options.verb].format_help())
    close = difflib.get_close_matches(word, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"lrtui help {options.verb} lists the options"
    raise UserError("there is no such option", word, hint)


def _with_verb(words: list[str]) -> list[str]:
    """Put the verb `open` before a file or directory that comes first, and make options of `help` and `help VERB`.

    Raises:
        UserError: a verb is misspelt.

    """
    first, *rest = words
    if first == "help":
        if rest and rest[0] not in VERBS:
            raise UserError("there is no such verb", rest[0], _meant("lrtui help", rest[0]))
        return [*rest[:1], "--help"]
    if first in VERBS or first in _OPTIONS:
        return words
    if all(word.startswith("-") for word in words):
        raise UserError(
            "there is no such option", first, f"without a verb there may be {', '.join(_OPTIONS)}"
        )
    if not (os.path.exists(first) or {"/", "."} & set(first) or first.startswith("-")):
        meant = _example(first) or _meant("lrtui", *words)
        if meant or any(not word.startswith("-") for word in rest):
            hint = meant or "lrtui help lists the verbs"
            raise UserError("there is no such verb or file", first, hint)
    return ["open", *words]


def _example(name: str) -> str:
    """Return a hint for the name of an experiment that comes with lrtui; "" for any other word."""
    from lrtui.config import shipped

    known = shipped.named(name)
    return f"write the one that comes with lrtui: lrtui example {known}" if known else ""


def _meant(before: str, word: str, *after: str) -> str:
    """Return a hint with the verb most similar to a misspelt word; "" if none is similar."""
    import difflib  # costs every start 2 ms

    close = difflib.get_close_matches(word, VERBS, n=1)
    return f"did you mean: {' '.join([before, *close, *after])}" if close else ""


def _parsers() -> tuple[argparse.ArgumentParser, argparse.Action]:
    """Return the parser, and its argument that is a verb."""
    parser = argparse.ArgumentParser(
        prog="lrtui",
        allow_abbrev=False,
        description="Finds the learning rate: one command, N learning rates, steered live, runs outlive the terminal.",
        usage="lrtui FILE.toml | DIR [options]\n       lrtui VERB DIR [RUN]",
        epilog="Exit codes of a sweep: 0 an answer; 1 no answer, or some run failed or was lost; 2 usage, a bad file, or a refused command; "
        "3 internal error; 4 stopped by you; 5 the machine (disk, data, GPU, no answer from the supervisor); "
        "6 owned by another host or user; 130 you left (Ctrl-C, q), the runs continue. Verbs: 0 done.",
    )
    parser.add_argument("--version", action="version", version=f"lrtui {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", dest="verb", required=True, prog="lrtui")
    for name, (verb, what) in VERBS.items():
        verb.add_arguments(verbs.add_parser(name, help=what, description=what, allow_abbrev=False))
    return parser, verbs
