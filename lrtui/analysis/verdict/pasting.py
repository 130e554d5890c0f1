"""The verdict as lines to paste into the experiment file and into PyTorch code.

The report shows them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from lrtui.analysis.verdict.answer import Verdict
from lrtui.sweep.choice import Choice, choice_of
from lrtui.sweep.state import Sweep
from lrtui.text.clean import clean
from lrtui.text.format import lr_text
from lrtui.train.optimizers import OPTIMIZERS
from lrtui.train.registry import Entry
from lrtui.train.schedules import SCHEDULES


def paste(sweep: Sweep, verdict: Verdict) -> tuple[str, str]:  # noqa: ARG001  # the plan may say more one day
    """Return the lines for the experiment file and those for PyTorch; for own scripts the latter are empty."""
    if verdict.lr is None or verdict.setting is None:
        return "", ""
    lr, axes = lr_text(verdict.lr), verdict.axes
    optimizer = _with_axes(choice_of(verdict.setting.optimizer), OPTIMIZERS, axes)
    schedule = _with_axes(choice_of(verdict.setting.schedule), SCHEDULES, axes)
    lines = [f"lr = {lr}"]
    for key, chosen in (("optimizer", optimizer), ("schedule", schedule)):
        if chosen.name:
            lines.append(f"{key} = {_choice(chosen)}")
    options = {*optimizer.options, *schedule.options}
    lines += [f"{_key(name)} = {value:g}" for name, value in axes.items() if name not in options]
    code = []
    if optimizer.name:
        code.append(_optimizer_line(optimizer, lr))
    if schedule.name and optimizer.name:
        code += _schedule_lines(schedule, lr)
    return "\n".join(map(clean, lines)), "\n".join(map(clean, code))


def _with_axes(chosen: Choice, table: Mapping[str, Entry], axes: Mapping[str, float]) -> Choice:
    """Return a choice with the options that [search] found for it."""
    fields = table[chosen.name].fields if chosen.name in table else {}
    found = {name: value for name, value in axes.items() if name in fields}
    return Choice(chosen.name, {**chosen.options, **found})


_TORCH = {
    name.lower(): f"torch.optim.{name}"
    for name in (
        "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "ASGD", "Muon", "NAdam", "RAdam",
        "RMSprop", "Rprop", "SGD",
    )
}  # fmt: skip
_SCHEDULERS = {
    "cosine": ("CosineAnnealingLR(optimizer, T_max=steps{})", {"end": ", eta_min={lr} * {}"}),
    "step": (
        "StepLR(optimizer, step_size=round(steps * {every}){})",
        {"gamma": ", gamma={}", "every": ""},
    ),
}
"""By the trainer's names: torch's own, where an optimizer step is a step of the schedule and `steps` is all of them."""


def _choice(chosen: Choice) -> str:
    """Return a choice as TOML."""
    return _toml({chosen.name: chosen.options} if chosen.options else chosen.name)


def _optimizer_line(chosen: Choice, lr: str) -> str:
    known = _TORCH.get(chosen.name.lower())
    if known is None or not all(key.isidentifier() for key in chosen.options):
        return f"# optimizer: {_choice(chosen)}, lr={lr}"
    more = "".join(f", {key}={_python(value)}" for key, value in chosen.options.items())
    return f"optimizer = {known}(model.parameters(), lr={lr}{more})"


def _schedule_lines(chosen: Choice, lr: str) -> list[str]:
    """Return the schedule as torch has it; a comment where it has none that is the same."""
    options = chosen.options
    if chosen.name == "constant" and not options:
        return []
    known, fields = _SCHEDULERS.get(chosen.name, ("", {}))
    if not known or not options.keys() <= fields.keys():
        return [f"# schedule: {_choice(chosen)}, over the whole training"]
    more = "".join(
        fields[key].replace("{lr}", lr).replace("{}", _python(value))
        for key, value in options.items()
    )
    made = known.replace("{every}", _python(options.get("every", "1 / 3"))).replace("{}", more)
    return [
        f"scheduler = torch.optim.lr_scheduler.{made}  # steps: all optimizer steps; scheduler.step() after each"
    ]


def _python(value: object) -> str:
    if isinstance(value, list):
        return f"({', '.join(map(_python, value))}{',' if len(value) == 1 else ''})"
    return value if isinstance(value, str) else repr(value)


_BARE = re.compile(r"[A-Za-z0-9_-]+")


def _toml(value: object) -> str:
    """Return a value of a setting as TOML."""
    if isinstance(value, dict):
        pairs = (f"{_key(str(key))} = {_toml(inner)}" for key, inner in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name)
