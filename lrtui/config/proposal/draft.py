"""Writes the proposed experiment file for a script: short, with a comment at each uncertain value."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lrtui.config.proposal.command import KEYS, Command, command_of, given_flags
from lrtui.config.proposal.flag import Flag, plain
from lrtui.config.proposal.frameworks import program_report
from lrtui.config.proposal.hydra import targets
from lrtui.config.proposal.launch import Launch, shell_flags
from lrtui.config.proposal.parserless import (
    constants_of,
    is_launched,
    keras_optimizers_of,
    literals_of,
    variables_of,
    words_of,
)
from lrtui.config.proposal.parsers import flags_of
from lrtui.config.proposal.printed import report_of
from lrtui.config.proposal.python_source import Module, calls, last, unreadable
from lrtui.config.proposal.python_source import modules as modules_of
from lrtui.config.proposal.reported import Report
from lrtui.config.proposal.roles import Roles, roles_of
from lrtui.sweep.events import Unit
from lrtui.text.clean import clean

_USUAL: dict[Unit, int] = {"epoch": 10, "step": 1000, "tokens": 10_000_000}
_FACTORS = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Five learning rates over two decades."""
_USUAL_RATES = dict.fromkeys(("adam", "adamw", "nadam", "rmsprop"), 1e-3) | {
    "sgd": 0.1,
    "adadelta": 1.0,
    "adagrad": 0.01,
    "lion": 1e-4,
    "muon": 0.02,
}
_DEFAULT_RATE = 1e-3
_WIDTH = 118


def draft(launch: Launch, modules: Sequence[Module], helped: Sequence[Flag] = ()) -> str:
    """Return the text of an experiment file for a script; `helped` are the options of its help text, if that was asked for."""
    if modules and is_launched(modules[0]):
        launch = launch.distributed()
    report = report_of(modules)
    flags, roles = _told(launch, modules, helped, report.unit)
    report = program_report(launch.name) or report_of([*modules, *targets(flags)], roles.unit)
    command = command_of(launch, flags, roles, modules)
    if launch.script and (fault := unreadable(launch.script)):
        command.doubts.insert(0, fault)
    optimizer = _optimizer(roles, modules)
    lines = _table(
        {
            "command": _array(command.words),
            "env": _inline(command.env),
            **_read(report, roles, command),
            **_length(modules, roles, command),
            **_metric(report, command),
            "optimizer": _string(optimizer) if optimizer else "",
            "lr": _rates(roles, optimizer, command),
        }
    )
    notes = [
        f"{' '.join(launch.name)}, as lrtui init read it.",
        *command.notes,
        *(f"not sure: {doubt}" for doubt in command.doubts),
    ]
    return "\n".join([*(f"# {clean(note, 240)}" for note in notes), *lines, ""])


def _told(
    launch: Launch, modules: Sequence[Module], helped: Sequence[Flag], printed: Unit | None
) -> tuple[list[Flag], Roles]:
    """Return a script's options, from its launch line and its parser; if these have no learning rate, also from its variables and its source."""
    configured = {
        name: value
        for word in launch.given
        if word.endswith(".py")
        for module in modules_of(Path(word))[:1]
        for name, value in module.constants.items()
    }
    flags = flags_of(modules)
    flags = [replace(flag, default=configured.get(flag.name, flag.default)) for flag in flags]
    said = {plain(flag.name): flag for flag in given_flags(launch.given)}
    if not flags:
        flags = words_of(modules[0]) if modules else shell_flags(launch.name)
    flags = [
        replace(flag, default=said[plain(flag.name)].default) if plain(flag.name) in said else flag
        for flag in flags
    ]
    for more in (helped, said.values()):
        names = {plain(flag.name) for flag in flags}
        flags += [flag for flag in more if plain(flag.name) not in names]
    roles = roles_of(flags, printed)
    if roles.rate and roles.rate.verb:
        flags = [flag for flag in flags if flag.verb in {"", roles.rate.verb}]
        roles = roles_of(flags, printed)
    if roles.rate is None and modules:
        constants = constants_of(modules[0])
        numbers = [*literals_of(modules[0]), *keras_optimizers_of(modules[0])]
        for more in (variables_of(modules[0]), constants, [*constants, *numbers]):
            roles = roles_of([*flags, *more], printed).filling(roles)
    return flags, roles


def _read(report: Report, roles: Roles, command: Command) -> dict[str, str]:
    """Return the keys that define how the output is read."""
    if report.unit and report.unit != roles.unit:
        command.doubts.append(
            f"the length is in {KEYS[roles.unit]}, but the lines that it prints count in {KEYS[report.unit]}"
        )
    elif report.parse and not report.unit:
        command.doubts.append(f"the lines that it prints name no {roles.unit}: print it, too")
    parse = report.parse
    if parse and not report.unit:
        parse = (rf"{roles.unit} (?P<{roles.unit}>\d+)", *parse)
    text = _literal(parse[0]) if len(parse) == 1 else _lines(map(_literal, parse)) if parse else ""
    return {
        "parse": text,
        "read": _string(report.read) if report.read else "",
        "first": "0" if report.first == 0 else "",
    }


def _length(modules: Sequence[Module], roles: Roles, command: Command) -> dict[str, str]:
    unit, flag = roles.unit, roles.length
    if flag is None and modules:
        fixed = roles_of([*constants_of(modules[0]), *literals_of(modules[0])], unit)
        if fixed.length and fixed.unit == unit:
            command.doubts.append(
                f"its length cannot be set, so {KEYS[unit]} has to be what the source says"
            )
            flag = fixed.length
    amount = flag.default if flag else None
    if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not amount > 0:
        command.doubts.append(f"how many {KEYS[unit]} a full run takes")
        amount = _USUAL[unit]
    return {KEYS[unit]: str(int(amount)) if amount == int(amount) else str(amount)}


def _metric(report: Report, command: Command) -> dict[str, str]:
    if not report.metric:
        command.doubts.append(
            "no metric was found in what it prints: put one into metric, or print it with lrtui's emit"
        )
        return {"metric": _string("min train_loss")}
    if report.doubt:
        command.doubts.append(report.doubt)
    loss = report.loss if report.loss not in {"", "train_loss"} else ""
    return {"metric": _string(report.metric), "loss": _string(loss) if loss else ""}


def _optimizer(roles: Roles, modules: Sequence[Module]) -> str:
    """Return the name of the script's optimizer if there is only one, else ""."""
    if roles.optimizer and isinstance(roles.optimizer.default, str):
        name = roles.optimizer.default.lower()
        return name if name in _USUAL_RATES else ""
    used = {last(name).lower() for module in modules for name, _ in calls(module.tree)} & set(
        _USUAL_RATES
    )
    return used.pop() if len(used) == 1 else ""


def _rates(roles: Roles, optimizer: str, command: Command) -> str:
    if roles.rate is None:
        command.doubts.append(
            "no flag for the learning rate was found: put {lr} into command, or read LRTUI_LR in the script"
        )
    center = roles.center
    if center is None:
        center = _USUAL_RATES.get(optimizer, _DEFAULT_RATE)
        command.doubts.append("the range of lr: the script's own learning rate was not found")
    return f"[{', '.join(_rate(center * factor) for factor in _FACTORS)}]"


def _rate(value: float) -> str:
    """Return a learning rate as people write it: 3e-4, 0.1, 30."""
    if 0.01 <= value < 1000:
        return f"{value:.3g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def _table(values: dict[str, str]) -> list[str]:
    """Return lines of TOML with their values in one column; keys without a value are left out."""
    given = {key: value for key, value in values.items() if value}
    width = max(map(len, given))
    return [
        f"{key:{width}} = {value}".replace("\f", f"\n{' ' * (width + 4)}")
        for key, value in given.items()
    ]


def _string(text: str) -> str:
    """Return a string of TOML."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _literal(text: str) -> str:
    """Return a TOML string in which backslashes are literal, if possible."""
    if "\n" in text and "'''" not in text and text.replace("\n", "").isprintable():
        return f"'''\n{text}'''"
    plain_text = text.isprintable() and "'" not in text and ("\\" in text or '"' in text)
    return f"'{text}'" if plain_text else _string(text)


def _array(words: Sequence[str]) -> str:
    return _lines(
        _literal(word) if '"' in word or "\n" in word else _string(word) for word in words
    )


def _lines(items: object) -> str:
    """Return a list of TOML, on as many lines as it needs; a form feed ends one."""
    rows = [""]
    for item in items:  # type: ignore[attr-defined]
        if rows[-1] and len(rows[-1]) + len(item) > _WIDTH:
            rows.append("")
        rows[-1] += f"{', ' if rows[-1] else ''}{item}"
    return "[" + ",\f".join(rows) + "]"


def _inline(values: dict[str, str]) -> str:
    pairs = [
        f"{name} = {_string(value)}"
        for name, value in values.items()
        if re.fullmatch(r"[A-Za-z0-9_-]+", name)
    ]
    return f"{{ {', '.join(pairs)} }}" if pairs else ""
