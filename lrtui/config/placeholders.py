"""Placeholders such as `{lr}` and `{lr*0.1}`, replaced by a regular expression, never by str.format.

Braces around a name are a placeholder; all other braces are kept, so JSON in an argument survives. `{{name}}` becomes `{name}`, for
programs that have their own placeholders. `{?checkpoint:--resume={checkpoint}}` becomes its text if there is a checkpoint to
continue from, else nothing.
"""

from __future__ import annotations

import decimal
import re
import shlex
from collections.abc import Container, Iterable, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal

from lrtui.config.fault_text import found, names, nearest, show
from lrtui.config.toml_positions import Path
from lrtui.config.toml_reader import Reader
from lrtui.sweep.events import Scalar
from lrtui.text.format import lr_text

ALIASES = {"epoch": "epochs", "step": "steps", "tokens": "tokens"}
"""The other name of {horizon}, by unit."""

FIXED = (
    *(
        "lr",
        "seed",
        "run",
        "run_dir",
        "optimizer",
        "schedule",
        "batch_size",
        "data",
        "model",
        "gpus",
        "port",
    ),
    *("horizon", "until", "checkpoint", "lr_to", "lr_steps"),
)
NUMBERS = frozenset(
    {
        "lr",
        "seed",
        "batch_size",
        "data",
        "gpus",
        "port",
        "horizon",
        "until",
        "lr_to",
        "lr_steps",
        *ALIASES.values(),
    }
)
"""The placeholders that can be scaled."""

_NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+"
_SHAPE = rf"\{{\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?:\*\s*({_NUMBER})\s*)?\}}"
PLACEHOLDER = re.compile(rf"\{{({_SHAPE})\}}|{_SHAPE}")
"""Groups: 1-3 the doubled form (whole, name, factor), 4 name, 5 factor."""
_CONDITION = re.compile(r"\{\?\s*([A-Za-z_][A-Za-z0-9_]*)\s*:((?:[^{}]|\{[^{}]*\})*)\}")
"""Groups: the name and the text of `{?name:text}`."""
_OPEN = re.compile(r"\{\?\s*[A-Za-z_]\w*\s*:")
_ALMOST = re.compile(
    r"\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?:[*/+%-][^{}]*|:[0-9.]*[a-zA-Z%]|![rsa])\}"
)
_SHELL = frozenset({"|", "||", "&", "&&", ";", ">", ">>", "<", "<<", "2>", "2>&1", "&>"})

Context = Mapping[str, Scalar]


def render(template: str, context: Context) -> str:
    """Return `template` with its placeholders replaced.

    Raises:
        KeyError: a placeholder has no value in `context`; the checks of the file rule that out.

    """

    def value(match: re.Match[str]) -> str:
        if match[1]:
            return match[1]
        return (
            scaled(match[4], context[match[4]], match[5])
            if match[5]
            else text_of(match[4], context[match[4]])
        )

    return PLACEHOLDER.sub(value, template)


def decided(words: Iterable[str], present: Container[str]) -> list[str]:
    """Return words with each `{?name:text}` replaced by its text if the name is `present`, else by nothing; empty words are dropped."""
    chosen = [
        (word, _CONDITION.sub(lambda match: match[2] if match[1] in present else "", word))
        for word in words
    ]
    return [after for before, after in chosen if after or not before]


def has_condition(words: Iterable[str]) -> bool:
    """Return whether words depend on whether there is a checkpoint."""
    return any(map(_CONDITION.search, words))


def text_of(name: str, value: Scalar) -> str:
    """Return a value as a program receives it: LRs in canonical form, lrtui's whole numbers without ".0"."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, float):
        return str(value)
    if name in {"lr", "lr_to"}:
        return lr_text(value)
    return str(int(value)) if name in NUMBERS and value.is_integer() else repr(value)


def scaled(name: str, value: Scalar, factor: str) -> str:
    """Return value times factor, exact in decimal: 3e-4*0.1 is 3e-05, not 2.9999999999999997e-05."""
    with decimal.localcontext(prec=60):
        product = Decimal(str(value)) * Decimal(factor)
    if name in {"lr", "lr_to"}:
        return lr_text(float(product))
    whole = product == product.to_integral_value() and isinstance(value, (int, float))
    if whole and (name in NUMBERS or isinstance(value, int)):
        return str(int(product))
    return repr(float(product))


def used(command: Iterable[str]) -> set[str]:
    """Return the names of the placeholders in an argv."""
    return {match[4] for word in command for match in PLACEHOLDER.finditer(word) if match[4]}


def read_command(reader: Reader) -> tuple[str, ...]:
    """Return the argv of `command`: a list unchanged, a string split as a shell would (no shell is run)."""
    value = reader.data["command"]
    if isinstance(value, str):
        return _split(reader, value)
    if not isinstance(value, list):
        what = f"command must be a list of strings {found(value)}"
        reader.fault(("command",), what, f"Try: {_EXAMPLE}")
        return ()
    if not value or value[0] == "":
        reader.fault(("command",), "command names no program", f"Try: {_EXAMPLE}")
    for i, word in enumerate(value):
        if not isinstance(word, str):
            what = f"every part of command must be a string {found(word)}"
            reader.fault(
                ("command", i),
                what,
                f'Put quotes around it: "{show(word)}"'
                if not isinstance(word, (list, dict))
                else "command is one flat list.",
            )
        elif "\0" in word:
            reader.fault(
                ("command", i), "an argument cannot contain a NUL character", "Remove \\u0000."
            )
    return tuple(word for word in value if isinstance(word, str))


def _split(reader: Reader, value: str) -> tuple[str, ...]:
    try:
        words = shlex.split(value)
    except ValueError as error:
        reader.fault(
            ("command",),
            f"command cannot be split: {error}",
            f"Close the quotes, or write a list: {_EXAMPLE}",
        )
        return ()
    if not words or not words[0] or "\0" in value:
        reader.fault(("command",), "command names no program", f"Try: {_EXAMPLE}")
        return ()
    shell = next((word for word in words if word in _SHELL), None)
    if shell:
        what = f"command is run without a shell, but {shell} needs one"
        reader.fault(
            ("command",),
            what,
            f'Put it into a script, or name the shell: command = ["bash", "-c", {show(value)}]',
        )
    elif re.match(r"[A-Za-z_][A-Za-z0-9_]*=", words[0]):
        what = "command is run without a shell, but begins with a variable"
        name, _, given = words[0].partition("=")
        reader.fault(("command",), what, f"Set it with a key: env = {{ {name} = {show(given)} }}")
    return tuple(words)


def check_command(
    reader: Reader, command: tuple[str, ...], known: Mapping[str, str], scalable: AbstractSet[str]
) -> None:
    """Record a fault for every placeholder and every condition of an argv that does not exist or has no value."""
    as_list = isinstance(reader.data["command"], list)
    for i, word in enumerate(command):
        path: Path = ("command", i) if as_list else ("command",)
        check_text(reader, path, word, known, scalable)
        for condition in _CONDITION.finditer(word):
            if condition[1] != "checkpoint":
                what = f"unknown condition {{?{condition[1]}:"
                hint = (
                    f"The only one is {_CONDITIONAL}: it is left out if there is no checkpoint yet."
                )
                reader.fault(path, what, hint, part=condition[0])
        if _OPEN.search(_CONDITION.sub("", word)):
            hint = f"Write it in one word, without spaces: {_CONDITIONAL}"
            reader.fault(path, "{? is not closed in this word", hint, part="{?")


def check_read(
    reader: Reader, patterns: tuple[str, ...], known: Mapping[str, str], scalable: AbstractSet[str]
) -> None:
    """Record a fault for every placeholder of `read` that does not exist or has no value, and note files that runs share."""
    as_list = isinstance(reader.data.get("read"), list)
    for i, pattern in enumerate(patterns):
        check_text(reader, ("read", i) if as_list else ("read",), pattern, known, scalable)
        if not used([pattern]):
            reader.notes.append(
                f"read = {show(pattern)} names the same files for every run: runs that train at the same time read each other's. {{run_dir}} is a folder of the run"
            )


def check_text(
    reader: Reader,
    path: Path,
    text: str,
    known: Mapping[str, str],
    scalable: AbstractSet[str],
    *,
    where: str = "",
) -> None:
    """Record a fault for every placeholder that does not exist or has no value.

    Args:
        reader: collects the faults.
        path: the key.
        text: its value, or a line of a file that it names.
        known: every valid name, with "" or how to give it a value.
        scalable: the names whose values are numbers.
        where: the file and its line, if the text is not in the experiment file.

    """
    for match in PLACEHOLDER.finditer(text):
        if match[4]:
            what, hint = _trouble(match, known, scalable)
            if what:
                reader.fault(path, where + what, hint, key=bool(where), part=match[0])
    for almost in _ALMOST.finditer(text):
        if almost[1] in known and not PLACEHOLDER.fullmatch(almost[0]):
            hint = f"A placeholder can only be scaled by a number: {{{almost[1]}*0.1}}"
            what = f"{where}{almost[0]} is not a placeholder"
            reader.fault(path, what, hint, key=bool(where), part=almost[0])


def _trouble(
    match: re.Match[str], known: Mapping[str, str], scalable: AbstractSet[str]
) -> tuple[str, str]:
    """Return what is wrong with a placeholder and how to fix it; ("", "") for a good one."""
    name, factor = match[4], match[5]
    if name not in known:
        available = [each for each, why_not in known.items() if not why_not]
        near = nearest(name, available)
        hint = f"Did you mean {{{near}}}? " if near else ""
        hint = f"{hint}Known: {names(available)}. Define your own under [values]. To keep literal braces, double them: {{{match[0]}}}"
        return f"unknown placeholder {match[0]}", hint
    if known[name]:
        return f"{match[0]} has no value", known[name]
    if factor and name not in scalable:
        return f"{match[0]} scales a value that is not a number", f"Write {{{name}}}."
    return "", ""


_CONDITIONAL = "{?checkpoint:--resume={checkpoint}}"
_EXAMPLE = 'command = ["python", "train.py", "--lr={lr}"]'
