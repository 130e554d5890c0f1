"""`lrtui completion SHELL`: let a shell complete verbs, files, options, examples and runs."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Collection

from lrtui.errors import UserError
from lrtui.text.clean import clean

SHELLS = ("bash", "zsh", "fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `completion` takes."""
    parser.add_argument(
        "shell",
        choices=SHELLS,
        metavar="SHELL",
        help='bash or zsh: put eval "$(lrtui completion bash)" into ~/.bashrc or ~/.zshrc; '
        "fish: lrtui completion fish > ~/.config/fish/completions/lrtui.fish",
    )


def run(options: argparse.Namespace) -> int:
    """Print the script; return 0."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["lrtui"], shell=options.shell))
    return 0


def reply(parser: argparse.ArgumentParser, verbs: argparse.Action) -> None:
    """Answer the shell's completion request, and exit."""
    import argcomplete
    from argcomplete.completers import DirectoriesCompleter, FilesCompleter

    parsers: dict[str, argparse.ArgumentParser] = dict(verbs.choices or {})
    files, folders = FilesCompleter(), DirectoriesCompleter()

    def verb_or_file(prefix: str, **given: object) -> list[str]:
        return [*parsers, "help", *files(prefix, **given)]

    completers = {"DIR": folders, "PATH": folders, "RUN": _runs, "NAME": _examples}
    vars(verbs)["completer"] = verb_or_file
    for verb in parsers.values():
        for action in verb._actions:  # noqa: SLF001  # argcomplete reads them too
            if action.metavar in completers:
                vars(action)["completer"] = completers[str(action.metavar)]
    _insert_open(parsers)
    argcomplete.autocomplete(parser, always_complete_options=False)


def _insert_open(verbs: Collection[str]) -> None:
    """Put the verb `open` before a file or directory that comes first, as `main` does, and drop the word `help` before a verb."""
    line, point = os.environ["COMP_LINE"], int(os.environ["COMP_POINT"])
    first = re.match(r"\s*\S+\s+(?!-)(\S+)\s", line[:point])
    if first and first[1] not in verbs:
        begin, end = first.span(1)
        before, rest = ("", end + 1) if first[1] == "help" else ("open ", begin)
        os.environ["COMP_LINE"] = f"{line[:begin]}{before}{line[rest:]}"
        os.environ["COMP_POINT"] = str(point + len(before) - (rest - begin))


def _runs(parsed_args: argparse.Namespace, **_: object) -> list[str]:
    from lrtui.cli.inspect import sweep_of

    try:
        return [clean(run) for run in sweep_of(parsed_args.directory).runs]
    except (UserError, OSError):
        return []


def _examples(**_: object) -> list[str]:
    from lrtui.config.shipped import names

    return names()
