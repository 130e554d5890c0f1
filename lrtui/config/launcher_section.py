"""[launcher]: which engine runs the attempts, and the resources it requests.

[launcher]
kind      = "slurm"
partition = "gpu"
time      = "4h"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lrtui.config.fault_text import did_you_mean, found, names, show
from lrtui.config.toml_reader import Reader, Values, is_text, is_whole
from lrtui.workers.launchers import LAUNCHERS


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(is_text(each) for each in value)


def _is_time(value: Any) -> bool:
    from lrtui.workers.slurm.job_options import seconds_of  # only if an experiment names it

    return isinstance(value, str) and seconds_of(value) is not None


_SLURM: dict[str, tuple[Callable[[Any], bool], str, str]] = {
    "partition": (is_text, "the name of a partition", '"gpu"'),
    "account": (is_text, "the name of an account", '"lab"'),
    "time": (_is_time, "a time above 0", '"4h"'),
    "gres": (is_text, "what sbatch takes for --gres", '"gpu:1"'),
    "cpus": (lambda value: is_whole(value, 1, 1024), "a whole number from 1 to 1024", "4"),
    "pack": (lambda value: is_whole(value, 1, 64), "a whole number from 1 to 64", "4"),
    "at_most": (lambda value: is_whole(value, 1, 1000), "a whole number from 1 to 1000", "16"),
    "setup": (
        lambda value: is_text(value) or _are_texts(value),
        "a line of shell, or a list of them",
        '"module load cuda"',
    ),
    "extra": (_are_texts, "a list of options", '["--constraint=a100"]'),
    "supervisor": (
        lambda value: is_text(value) and value in {"login", "job"},
        '"login" or "job"',
        '"job"',
    ),
    "supervisor_extra": (_are_texts, "a list of options", '["--partition=cpu", "--time=7-0"]'),
}
"""Per key: a check, its description, and an example."""
_MAY_CHANGE = frozenset({"partition", "account", "time", "gres", "cpus", "setup", "extra"})
"""Keys that a started sweep adopts for its further jobs. `gres` must name as many GPUs as before."""
_OPTIONS = frozenset({"extra", "supervisor_extra"})
_SET = (
    *("--array", "--job-name", "--output", "--signal", "--requeue", "--no-requeue", "--wrap"),
    *("--comment", "--parsable", "--test-only", "--chdir", "--wait", "--dependency", "--clusters"),
)
"""Options that lrtui sets itself, or that would break what it relies on."""
_SET_SHORT = ("-a", "-d", "-D", "-J", "-M", "-o", "-W")


def read_launcher(reader: Reader) -> Values:
    """Return [launcher]: its kind, and the keys of that kind."""
    given = reader.table("launcher")
    kind = given.get("kind", "local")
    if not isinstance(kind, str) or kind not in LAUNCHERS:
        reader.fault(
            ("launcher", "kind"),
            f"unknown launcher {show(kind)}",
            did_you_mean(str(kind), LAUNCHERS, "launchers"),
        )
        return {"kind": "local"}
    keys = _SLURM if kind == "slurm" else {}
    for key in given:
        if key != "kind" and key not in keys:
            _unknown(reader, key, ["kind", *keys])
    kept = {
        key: value for key, value in given.items() if key in keys and _check(reader, key, value)
    }
    return {"kind": kind, **kept}


def runs_the_same(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Return whether two [launcher] sections differ at most in the jobs requested from a cluster."""
    changed = {key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)}
    if ours["kind"] != "slurm" or not changed <= _MAY_CHANGE:
        return False
    from lrtui.workers.slurm.job_options import options_of

    return options_of(ours).gpus == options_of(theirs).gpus


def _unknown(reader: Reader, key: str, keys: list[str]) -> None:
    if key in _SLURM:
        hint = f'{key} belongs to Slurm: add kind = "slurm", or remove it.'
    else:
        hint = did_you_mean(key, keys, "keys")
    reader.fault(("launcher", key), f"unknown key {names([key])} in [launcher]", hint, key=True)


def _check(reader: Reader, key: str, value: Any) -> bool:
    accepts, wanted, example = _SLURM[key]
    if not accepts(value):
        what = f"{key} must be {wanted} {found(value)}"
        reader.fault(("launcher", key), what, f"Try: {key} = {example}")
        return False
    for i, word in enumerate(value if key in _OPTIONS else ()):
        is_set = _is_set(word)
        if is_set or not word.startswith("-"):
            what = f"{show(word)} in {key} is {'set by lrtui' if is_set else 'no option'}"
            hint = "Remove it." if is_set else "Write --name=value in one string."
            reader.fault(("launcher", key, i), what, hint)
            return False
    return True


def _is_set(word: str) -> bool:
    """Return whether an option of sbatch is one of those, abbreviated too."""
    option = word.partition("=")[0]
    if word.startswith("--"):
        return len(option) > len("--") and any(each.startswith(option) for each in _SET)
    return word.startswith(_SET_SHORT)
