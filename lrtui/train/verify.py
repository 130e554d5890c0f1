"""Do runs that train together learn what each learns alone? `lrtui verify FILE` asks: `python -m lrtui.train.verify`.

It reads a JSON list of command lines of `lrtui.train` from stdin and trains the first steps of each in a process of its
own, then of all those that differ in the LR alone together in one (`together.py`), dropping none. Weights must be equal to the
last bit; their SHA-256 are printed side by side.

Exit codes: 0 all equal; 1 some differ, or one could not be trained; 2 usage.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from lrtui.train.loop import aside, settle
from lrtui.train.multiplex.runs import Turns
from lrtui.train.options import UsageError, parse
from lrtui.train.run_state import Training, set_up
from lrtui.train.step import Stepper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lrtui.train.options import Options

SHOWN = 12
"""Digits of a hash that are printed; all are compared."""


class _CannotError(Exception):
    """A run could not be trained, why in words."""


def main(argv: Sequence[str] | None = None) -> int:
    """Compare and print; return the exit code."""
    parser = argparse.ArgumentParser("python -m lrtui.train.verify", description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    steps = parser.parse_args(argv).steps
    try:
        runs = [replace(parse(words), checkpoint=None) for words in json.load(sys.stdin)]
        return 0 if compare(runs, steps) else 1
    except UsageError as error:
        print(f"lrtui.train: {error}", file=sys.stderr)
        return 2
    except _CannotError as error:
        print(f"lrtui.train: {error}", file=sys.stderr)
        return 1


def compare(runs: Sequence[Options], steps: int) -> bool:
    """Train `steps` of each run alone and together, and print a table; return whether all weights are equal.

    Raises:
        UsageError: what is wrong with a run's data, model or options.
        _CannotError: why one of them could not be trained.

    """
    equal = True
    for group in groups_of(runs):
        first = group[0]
        print(
            f"{first.model}, {first.optimizer}, {first.schedule}, batch {first.batch_size}, {first.precision}, "
            f"seed {first.seed}: {steps} steps, torch {torch.__version__}\n"
            f"  {'lr':<10}{'alone':<{SHOWN + 2}}{'together':<{SHOWN + 2}}{'loss':<12}weights",
            flush=True,
        )
        together = _aside(_turns, group, steps)
        for options, (ours, loss) in zip(group, together, strict=True):
            ((alone, _),) = _aside(_alone, [options], steps)
            same = ours == alone
            equal &= same
            print(
                f"  {options.lr:<10.3g}{alone[:SHOWN]:<{SHOWN + 2}}{ours[:SHOWN]:<{SHOWN + 2}}{loss:<12.5g}"
                f"{'equal' if same else 'DIFFERENT'}",
                flush=True,
            )
    print("equal to the last bit" if equal else "NOT equal: take runs in processes of their own")
    return equal


def groups_of(runs: Sequence[Options]) -> list[list[Options]]:
    """Return the runs in groups that differ in the LR alone."""
    groups: dict[str, list[Options]] = {}
    for each in runs:
        groups.setdefault(_setting(each), []).append(each)
    return list(groups.values())


def _setting(options: Options) -> str:
    """Return all that a group shares, as text."""
    return repr(replace(options, lr=1.0, checkpoint=None))


def digest(training: Training) -> str:
    """Return the SHA-256 of a run's weights and buffers, as they are in memory."""
    found = hashlib.sha256()
    for name, value in sorted(training.model.state_dict().items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        found.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _alone(runs: Sequence[Options], steps: int) -> list[tuple[str, float]]:
    """Train as a run of its own does."""
    training = set_up(runs[0])
    with aside(training.device):
        stepper = Stepper(training)
        for _ in range(steps):
            stepper.step()
    return [_result(training)]


def _turns(runs: Sequence[Options], steps: int) -> list[tuple[str, float]]:
    """Train in turns."""
    turns = Turns(runs)
    for _ in range(steps):
        turns.step()
    return [_result(training) for training in turns.trainings]


def _result(training: Training) -> tuple[str, float]:
    window = training.window
    return digest(training), window.loss.item() / window.images


def _aside(
    work: Callable[[Sequence[Options], int], list[tuple[str, float]]],
    runs: Sequence[Options],
    steps: int,
) -> list[tuple[str, float]]:
    """Return what `work` returns, done in a fork of this process, which has imported torch but never computed."""
    processes = multiprocessing.get_context("fork")
    answer, told = processes.Pipe(duplex=False)
    child = processes.Process(target=_tell, args=(told, work, list(runs), steps))
    child.start()
    told.close()
    try:
        kind, found = answer.recv()
    except EOFError:
        child.join()
        raise _CannotError(f"a training ended with exit code {child.exitcode}") from None
    child.join()
    if kind == "usage":
        raise UsageError(found)
    if kind == "fault":
        raise _CannotError(found)
    result: list[tuple[str, float]] = found
    return result


def _tell(told: Any, work: Any, runs: list[Options], steps: int) -> None:
    """Run in the fork: do the work, and send what came of it."""
    try:
        settle(runs[0])
        told.send(("done", work(runs, steps)))
    except UsageError as error:
        told.send(("usage", str(error)))
    except (MemoryError, RuntimeError, OSError) as error:
        told.send(("fault", (str(error) or type(error).__name__).partition("\n")[0]))


if __name__ == "__main__":
    raise SystemExit(main())
