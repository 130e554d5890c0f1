"""The trainer's command line, read and checked without torch, so that a mistake is reported at once.

`--model`, `--optimizer` and `--schedule` take a plain name or JSON of the experiment file's shape:
`sgd`, `{"sgd": {"momentum": 0.9}}`, `{"step": 0.5, "warmup": 0.05}` (the schedule with its principal number, then options).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from lrtui.train.models import MODELS, is_custom
from lrtui.train.optimizers import OPTIMIZERS
from lrtui.train.registry import Entry, mismatch
from lrtui.train.schedules import SCHEDULES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

PRECISIONS = ("fp32", "bf16")
AUTO = "auto"
"""In an experiment file: one of PRECISIONS, chosen once for all runs (`precision.py`). A training process gets the chosen one."""
LEAST_TEST_STEPS = 10
"""With fewer a range test's curve has no shape."""


class UsageError(Exception):
    """An error on the command line, or in the files it names, that the user can fix: exit code 2."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A name from a table with the options chosen for it."""

    name: str
    options: dict[str, Any]

    def __str__(self) -> str:
        settings = ", ".join(f"{name} {value}" for name, value in self.options.items())
        return f"{self.name} ({settings})" if settings else self.name


@dataclass(frozen=True, slots=True)
class RangeTest:
    """An LR range test from `Options.lr`."""

    to: float
    """The LR of the last step."""
    steps: int
    """The most optimizer steps."""


@dataclass(frozen=True, slots=True)
class Options:
    """The task of one training process."""

    prepared: Path
    model: Choice
    optimizer: Choice
    schedule: Choice
    lr: float
    batch_size: int
    unit: str
    """ "epochs" or "steps": the unit of `horizon`, `until` and `val_every`."""
    horizon: float
    """The full length R; schedules span it."""
    until: float
    """Where this process stops, after an evaluation."""
    seed: int
    checkpoint: Path | None
    threads: int | None
    precision: str
    data: float
    """The share of the training part that is used, balanced over the classes."""
    augment: bool
    val_every: float | None
    """None: at each end of an epoch."""
    beside: Path = Path()
    """The experiment file's folder, from which a custom model is imported."""
    test: RangeTest | None = None
    """What to do instead of training; `until`, `schedule`, `checkpoint` and `val_every` then mean nothing."""


def parse(argv: Sequence[str]) -> Options:
    """Return the options of `argv`.

    Raises:
        UsageError: what is wrong, in one line.
        SystemExit: after --help.

    """
    raw = _parser().parse_args(argv)
    unit = "epochs" if raw.epochs is not None else "steps"
    horizon = raw.epochs if raw.epochs is not None else raw.steps
    if horizon is None or (raw.epochs is not None and raw.steps is not None):
        raise UsageError("give either --epochs or --steps: the horizon, which the schedule spans")
    _positive(raw, "lr", "batch_size", "epochs", "steps", "until", "threads", "data", "val_every")
    test = _test(raw)
    until = horizon if raw.until is None or test else raw.until
    if until > horizon:
        raise UsageError(f"--until {until:g} lies beyond the horizon of {horizon:g} {unit}")
    if raw.data > 1:
        raise UsageError(
            f"--data is a share of the training data, above 0 to 1 (found {raw.data:g})"
        )
    if not 0 <= raw.seed < 2**63:
        raise UsageError(f"--seed is a whole number from 0 to 2**63 - 1 (found {raw.seed})")
    return Options(
        prepared=raw.prepared,
        model=choose_model(raw.model),
        optimizer=choose("optimizer", raw.optimizer, OPTIMIZERS),
        schedule=choose("schedule", raw.schedule, SCHEDULES),
        lr=raw.lr,
        batch_size=raw.batch_size,
        unit=unit,
        horizon=horizon,
        until=until,
        seed=raw.seed,
        checkpoint=raw.checkpoint,
        threads=raw.threads,
        precision=raw.precision,
        data=raw.data,
        augment=raw.augment,
        val_every=raw.val_every,
        beside=raw.beside.absolute(),
        test=test,
    )


def choose_model(text: str) -> Choice:
    """Return the model that `text` chooses: one of MODELS, or "module:function" of the user's own.

    Raises:
        UsageError: as `choose`.

    """
    name = text
    if text.lstrip().startswith("{"):
        raw = _json("model", text)
        name = next((key for key in raw if is_custom(key)), "")
    if not is_custom(name):
        return choose("model", text, MODELS)
    own = Entry(where=name, what="your own")
    options = {} if name == text else _options("model", name, raw, own)
    return Choice(name, options)


def choose(kind: str, text: str, table: Mapping[str, Entry]) -> Choice:
    """Return the choice that `text` (a name, or JSON) makes in `table`.

    Raises:
        UsageError: unknown name or option, an option of another type, or no JSON.

    """
    if not text.lstrip().startswith("{"):
        return _known(kind, text, {}, table)
    raw = _json(kind, text)
    names = [name for name in raw if name in table]
    name = names[0] if names else next(iter(raw), "")
    if name not in table:
        return _known(kind, name, {}, table)
    return _known(kind, name, _options(kind, name, raw, table[name]), table)


def _json(kind: str, text: str) -> dict[str, Any]:
    """Return the table in `text`, which begins with a brace."""
    try:
        table: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--{kind} is neither a name nor JSON: {text} ({error})") from None
    return table


def _options(kind: str, name: str, raw: dict[str, Any], entry: Entry) -> dict[str, Any]:
    """Return the options of `{name: principal or table, option: value, ...}`."""
    own = raw[name]
    rest = {key: value for key, value in raw.items() if key != name}
    if isinstance(own, dict):
        return {**own, **rest}
    if entry.principal is None:
        raise UsageError(
            f'--{kind} {name} takes a table of options, {{"{name}": {{...}}}} (found {own!r})'
        )
    return {entry.principal: own, **rest}


def _known(kind: str, name: str, options: dict[str, Any], table: Mapping[str, Entry]) -> Choice:
    if name not in table:
        raise UsageError(f"no {kind} {name!r}; known: {', '.join(table)}")
    if wrong := mismatch(table[name], options):
        raise UsageError(f"{kind} {name} {wrong}")
    return Choice(name, options)


def _test(raw: argparse.Namespace) -> RangeTest | None:
    """Return the requested range test; None with 0 steps, whatever --lr-to is."""
    if raw.lr_steps == 0:
        return None
    if raw.lr_steps < LEAST_TEST_STEPS:
        raise UsageError(
            f"--lr-steps is 0 (no range test) or at least {LEAST_TEST_STEPS} (found {raw.lr_steps})"
        )
    if raw.lr_to is None:
        raise UsageError("--lr-steps needs --lr-to: the LR of the range test's last step")
    if not (raw.lr_to > raw.lr and math.isfinite(raw.lr_to)):
        raise UsageError(
            f"--lr-to must be above --lr {raw.lr:g} and finite: a range test raises the LR (found {raw.lr_to:g})"
        )
    return RangeTest(raw.lr_to, raw.lr_steps)


def _positive(raw: argparse.Namespace, *names: str) -> None:
    for name in names:
        value = getattr(raw, name)
        if value is not None and not (value > 0 and math.isfinite(value)):
            raise UsageError(
                f"--{name.replace('_', '-')} must be above 0 and finite (found {value:g})"
            )


def _parser() -> argparse.ArgumentParser:
    import argparse  # 0.6 MiB that a supervisor need not hold

    class Parser(argparse.ArgumentParser):
        """argparse that raises, instead of printing a page of usage."""

        def error(self, message: str) -> NoReturn:
            raise UsageError(f"{message} (--help lists the options)")

    parser = Parser(
        "python -m lrtui.train",
        description="Train one model at one learning rate and emit metric lines.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--prepared", type=Path, required=True, help='"path" of what lrtui.train.prepare printed')
    add(
        "--model",
        default="cnn7",
        help=f"{', '.join(MODELS)}, or module:function of your own; or JSON with options",
    )
    add("--beside", type=Path, default=Path(), help="the folder of your own model's module")
    add("--optimizer", default="adam", help=f"{', '.join(OPTIMIZERS)}; or JSON with options")
    add("--schedule", default="constant", help=f"{', '.join(SCHEDULES)}; or JSON with options")
    add("--lr", type=float, required=True)
    add("--lr-to", type=float, help="range test: the LR of its last step; its first has --lr")
    add("--lr-steps", type=int, default=0, help="range test: its steps; default 0: train instead")
    add("--batch-size", type=int, default=128)
    add("--epochs", type=float, help="the horizon, in epochs")
    add("--steps", type=int, help="the horizon, in optimizer steps")
    add("--until", type=float, help="stop here, in the horizon's unit, after an evaluation")
    add("--seed", type=int, default=0)
    add("--checkpoint", type=Path, help="kept here; gone on from where it exists")
    add("--threads", type=int, help="CPU threads; default: all cores this process may use")
    add("--precision", choices=PRECISIONS, default="fp32")
    add("--data", type=float, default=1.0, help="share of the training data, balanced over classes")
    add(
        "--augment",
        action="store_true",
        help="random crops, and mirroring where it keeps the meaning",
    )
    add(
        "--val-every",
        type=float,
        help="evaluate this often, in the horizon's unit; default: each epoch",
    )
    return parser
