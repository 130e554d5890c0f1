"""The pages that are made from code: the commands from their parsers, also as a manual page, and the keys from the keymap.

`python -m tests.generated_docs` writes them, and those of the report (`generated_report`); tests/test_readme.py compares.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from lrtui.cli.verbs import VERBS
from lrtui.tui.keymap import USUAL
from tests.generated_report import report_page, report_schema

DOCS = Path(__file__).parent.parent / "docs"

_CLI_HEAD = """# Commands

`lrtui FILE.toml` and `lrtui DIR` need no verb: they start what is not finished, attach where a supervisor is alive, and show what has ended. `DIR` is an
experiment directory, `RUN` a run (`r03`) or its learning rate (`3e-4`).

## Exit codes

| code | meaning |
|---|---|
| 0 | an answer: a learning rate, the range of those that cannot be told apart, or the bracket of a sweep that is only a range test (`lr = "range"`) |
| 1 | no answer, or some run failed or was lost; the verdict says which |
| 2 | usage, a bad file, or a refused command |
| 3 | internal error |
| 4 | stopped by you |
| 5 | the machine: disk, data, GPU |
| 6 | owned by another host or user |
| 130 | you left, with Ctrl-C or `q`, and the runs continue |
| 129, 143 | SIGHUP and SIGTERM, which only detach |

These are the codes of `lrtui FILE.toml` and `lrtui DIR`, in the log and in the monitor alike. 0 is given only with an answer: leaving the monitor of a
sweep that continues is 130, viewing one without a supervisor is 1. A budget that ends a sweep before anything could be compared is 1. The verbs exit with
0 when they have done what they say.
"""


def cli_page() -> str:
    """Return docs/cli.md."""
    return "\n".join([_CLI_HEAD, *(line for name in VERBS for line in _verb(name))])


def manual_page() -> str:
    """Return docs/lrtui.1, which a wheel installs as share/man/man1/lrtui.1."""
    return "\n".join(
        [
            '.TH LRTUI 1 "" lrtui "User commands"',
            r".SH NAME",
            r"lrtui \- find the learning rate, with its schedule and optimizer, of a model on its data",
            ".SH SYNOPSIS",
            r".B lrtui",
            r"FILE.toml | DIR [options]",
            ".br",
            r".B lrtui",
            r"VERB [DIR] [RUN ...] [options]",
            ".SH DESCRIPTION",
            _roff(_plain(_CLI_HEAD.split("\n\n")[1])),
            ".SH VERBS",
            *(line for name in VERBS for line in _manual_verb(name)),
            ".SH EXIT STATUS",
            *(
                f".TP\n.B {code}\n{_roff(_plain(meaning))}"
                for code, meaning in re.findall(
                    r"^\| ([\d, ]+) \| (.*) \|$", _CLI_HEAD, re.MULTILINE
                )
            ),
            ".PP",
            *map(_roff, _plain(_CLI_HEAD.rsplit("|\n\n", 1)[1]).splitlines()),
        ]
    )


def keys_page() -> str:
    """Return docs/keys.md: the text before its first group as it is, then a table for each group."""
    head = (DOCS / "keys.md").read_text().split("\n## Runs\n")[0].rstrip()
    groups = dict.fromkeys(key.group for key in USUAL)
    tables = [line for group in groups for line in _group(group)]
    return "\n".join([head, *tables])


def _described(name: str) -> tuple[str, str, list[argparse.Action]]:
    """Return a verb with its arguments, what it does, and its options."""
    verb, what = VERBS[name]
    parser = argparse.ArgumentParser(prog=f"lrtui {name}", add_help=False)
    verb.add_arguments(parser)
    shown = [each for each in parser._actions if each.help != argparse.SUPPRESS]
    words = [_positional(each) for each in shown if not each.option_strings]
    options = [each for each in shown if each.option_strings]
    return " ".join([name, *words]), f"{what[0].upper()}{what[1:]}.", options


def _verb(name: str) -> Iterator[str]:
    words, what, options = _described(name)
    yield f"## {name}\n"
    yield f"`lrtui {words}`\n"
    yield f"{what}\n"
    if options:
        yield "| option | meaning |\n|---|---|"
        yield from (f"| `{_option(each)}` | {_cell(each.help or '')} |" for each in options)
        yield ""


def _manual_verb(name: str) -> Iterator[str]:
    words, what, options = _described(name)
    yield f".SS {_roff(words)}\n{_roff(what)}"
    for each in options:
        yield f".TP\n.B {_roff(_option(each))}\n{_roff(_cell(each.help or ''))}"


def _plain(text: str) -> str:
    """Return a paragraph without the marks of Markdown."""
    return text.replace("`", "").replace("\\|", "|")


def _roff(text: str) -> str:
    """Return text as roff shows it unchanged."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _positional(action: argparse.Action) -> str:
    word = str(action.metavar or action.dest)
    shapes = {"?": f"[{word}]", "*": f"[{word} ...]", "+": f"{word} [{word} ...]"}
    return shapes.get(str(action.nargs), word)


def _option(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    return f"{', '.join(action.option_strings)}{value}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("%%", "%")


def _group(group: str) -> Iterator[str]:
    yield f"\n## {group}\n"
    yield "| action | key | what it does |\n|---|---|---|"
    for key in USUAL:
        if key.group == group:
            yield f"| `{key.action}` | {key.shown} | {key.help} |"


if __name__ == "__main__":
    (DOCS / "cli.md").write_text(cli_page().rstrip() + "\n")
    (DOCS / "keys.md").write_text(keys_page().rstrip() + "\n")
    (DOCS / "lrtui.1").write_text(manual_page().rstrip() + "\n")
    (DOCS / "report.md").write_text(report_page().rstrip() + "\n")
    (DOCS / "report.schema.json").write_text(report_schema() + "\n")
