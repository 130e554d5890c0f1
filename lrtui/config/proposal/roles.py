"""Identifies a script's flags for the learning rate, the length, the seed and the files' folder, by their names and defaults."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from lrtui.config.proposal.flag import Flag, plain
from lrtui.sweep.events import Unit

_RATES = (
    *("lr", "learning_rate", "learningrate", "base_lr", "lr0", "max_lr", "peak_lr", "init_lr"),
    *("initial_lr", "start_lr", "train_lr", "lr_base", "base_learning_rate", "init_learning_rate"),
    *(
        "initial_learning_rate",
        "peak_learning_rate",
        "max_learning_rate",
        "adam_lr",
        "optimizer_lr",
    ),
    *("lr_init", "lr_initial", "lr_max", "step_size", "eta"),
)
_LENGTHS: dict[Unit, tuple[str, ...]] = {
    "epoch": (
        *("epochs", "num_epochs", "n_epochs", "max_epochs", "num_train_epochs", "total_epochs"),
        *("nepochs", "train_epochs", "nb_epochs", "n_epoch", "num_epoch", "max_epoch", "epoch"),
    ),
    "step": (
        *(
            "max_steps",
            "max_iters",
            "total_steps",
            "total_timesteps",
            "train_steps",
            "max_train_steps",
        ),
        *(
            "num_train_steps",
            "train_num_steps",
            "num_iterations",
            "num_training_steps",
            "iterations",
        ),
        *("num_boost_round", "n_iters", "num_iters", "max_iterations", "total_iters", "n_steps"),
        *(
            "training_steps",
            "n_iterations",
            "steps",
            "iters",
            "n_iter",
            "num_iter",
            "max_iter",
            "n_estimators",
            "num_rounds",
            "num_steps",
        ),
    ),
    "tokens": ("max_tokens", "total_tokens", "train_tokens", "num_tokens"),
}
_SEEDS = (
    "seed",
    "random_seed",
    "rng_seed",
    "manual_seed",
    "seed_everything",
    "manualseed",
    "random_state",
)
_FOLDERS = (
    "hydra.run.dir",
    *("output_dir", "out_dir", "save_dir", "checkpoint_dir", "ckpt_dir", "workdir", "work_dir"),
    *("checkpoint_path", "ckpt_path", "snapshot_path", "checkpoint", "ckpt", "snapshot", "output"),
    *(
        "out",
        "save",
        "save_path",
        "model_dir",
        "results_folder",
        "results_dir",
        "exp_dir",
        "run_dir",
    ),
    *("default_root_dir", "project", "outdir", "savedir", "outf", "log_dir", "logdir"),
)
_RESUMES = (
    *("resume", "resume_from_checkpoint", "resume_from", "init_from", "resume_path", "restore"),
    *("auto_resume", "resume_ckpt", "load_checkpoint", "start_from", "restore_from", "continue"),
)
_OPTIMIZERS = ("optimizer", "optim", "opt", "optimizer_name", "optimizer_type")
_LOWEST = ("min_lr", "lr_min", "end_lr", "final_lr", "eta_min")
_OTHER_THAN_RATE = frozenset(
    [
        "min",
        "end",
        "final",
        "warmup",
        "decay",
        "sched",
        "scheduler",
        "schedule",
        "type",
        "scale",
        "mult",
        "factor",
        "patience",
        "step",
        "steps",
        "noise",
        "cycle",
        "gamma",
        "k",
        "policy",
        "bias",
        "limit",
        "power",
        "name",
        "ratio",
        "drop",
        "range",
        "find",
        "finder",
        "test",
        "backbone",
        "head",
        "milestones",
    ]
)


@dataclass(frozen=True, slots=True)
class Roles:
    """What was recognised; None if nothing was."""

    rate: Flag | None
    length: Flag | None
    unit: Unit
    seed: Flag | None
    folder: Flag | None
    resume: Flag | None
    optimizer: Flag | None
    lowest: Flag | None
    """The learning rate at the end of the script's own schedule."""
    spans: tuple[Flag, ...]
    """Flags that repeat the length: the steps over which the learning rate decays."""
    center: float | None
    """The script's own learning rate."""

    def filling(self, before: Roles) -> Roles:
        """Return the roles in `before`, with the learning rate from here if it has none, and then also the roles that it needs."""
        if before.rate:
            if before.rate.source and not before.length and self.length:
                return replace(before, length=self.length, unit=self.unit)
            return before
        if self.rate is None:
            return before
        length = before.length or self.length
        return replace(self, length=length, unit=before.unit if before.length else self.unit)


def roles_of(flags: Sequence[Flag], printed: Unit | None = None) -> Roles:
    """Return the flag of each role; `printed` is the position that the script prints, which decides between two lengths."""
    rates = [*_named(flags, _RATES), *_rate_like(flags)]
    rate = next(
        (each for each in rates if not isinstance(each.default, (str, bool)) or not each.default),
        None,
    )
    center = next((each.default for each in rates if _is_rate(each.default)), None)
    unit, length = _length(flags, printed)
    lowest = next(_named(flags, _LOWEST), None)
    return Roles(
        rate=rate,
        length=length,
        unit=unit,
        seed=next((each for each in _named(flags, _SEEDS) if not each.switch), None),
        folder=next((each for each in _named(flags, _FOLDERS) if not each.switch), None),
        resume=next(_named(flags, _RESUMES), None),
        optimizer=next(_named(flags, _OPTIMIZERS), None),
        lowest=lowest if lowest and _is_rate(lowest.default) and rate else None,
        spans=tuple(_spans(flags, length)),
        center=float(center) if isinstance(center, (int, float)) else None,
    )


def is_rate_or_length(name: str) -> bool:
    """Return whether a name means a learning rate or a length."""
    return plain(name) in _RATES or any(plain(name) in names for names in _LENGTHS.values())


def _named(flags: Iterable[Flag], names: Sequence[str]) -> Iterator[Flag]:
    """Yield the flags with one of these names, in the order of the names; a dotted flag goes by its last part, and after plain ones."""
    by_rank = [
        (names.index(part), full.count("."), place, flag)
        for place, flag in enumerate(flags)
        for full in (plain(flag.name),)
        for part in dict.fromkeys((full, full.rpartition(".")[2]))
        if part in names
    ]
    return (flag for *_, flag in sorted(by_rank, key=lambda each: each[:3]))


def _rate_like(flags: Iterable[Flag]) -> list[Flag]:
    found = []
    for flag in flags:
        name = plain(flag.name).rpartition(".")[2]
        parts = set(name.split("_"))
        if (
            ("lr" in parts or "learning_rate" in name)
            and not parts & _OTHER_THAN_RATE
            and name not in _RATES
        ):
            found.append(flag)
    return sorted(found, key=lambda flag: len(flag.name))


def _is_rate(value: object) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and 0 < value <= 1e4
    )


def _length(flags: Sequence[Flag], printed: Unit | None) -> tuple[Unit, Flag | None]:
    found: list[tuple[bool, bool, int, Unit, Flag]] = []
    for rank, (unit, names) in enumerate(_LENGTHS.items()):
        for flag in _named(flags, names):
            usable = isinstance(flag.default, (int, float)) and flag.default > 0
            found.append((unit != printed, not (usable or flag.required), rank, unit, flag))
            break
    if not found:
        return printed or "epoch", None
    *_, unit, flag = min(found, key=lambda each: (each[1], each[0], each[2]))
    return unit, flag


def _spans(flags: Iterable[Flag], length: Flag | None) -> Iterable[Flag]:
    if length is None or length.default is None:
        return
    ends = set(plain(length.name).split("_")) - {"max", "num", "total", "n"}
    for flag in flags:
        parts = set(plain(flag.name).split("_"))
        if (
            flag is not length
            and parts & {"decay", "cosine", "anneal"}
            and parts & ends
            and flag.default == length.default
        ):
            yield flag
