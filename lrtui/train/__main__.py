"""`python -m lrtui.train`: the command line, then the training.

Where `lrtui.workers.forkserver` gave this worker a link to a host (LRTUI_HOST_FD), the host trains and the worker writes its lines
(`guest.py`); without one, or if the host cannot begin, it trains here.

Exit codes: 0 the end was reached, or SIGTERM came and a checkpoint was written (a range test writes none); 1 the
checkpoint could not be read or written; 2 usage; 5 the memory does not hold the model and a batch; 75 the server ended; 130 Ctrl-C.

torch is imported only after the options are found good: it takes over a second. Until the training begins a SIGTERM
ends the process at once: there is nothing to save.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import lrtui.emit  # noqa: F401 - first, because `time` counts from its import
from lrtui.train.multiplex import client
from lrtui.train.options import Options, UsageError, parse

if TYPE_CHECKING:
    from types import FrameType


def main() -> int:
    """Train as the command line says; return the exit code."""
    signal.signal(signal.SIGTERM, _leave)
    try:
        options = parse(sys.argv[1:])
        _limit_threads(options)
        code = client.train_remotely(sys.argv[1:])
        return _train(options) if code is None else code
    except UsageError as error:
        print(f"lrtui.train: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _train(options: Options) -> int:
    from lrtui.train.faults import explained  # torch
    from lrtui.train.loop import train  # torch
    from lrtui.train.range_test import raise_lr  # torch

    try:
        return raise_lr(options, options.test) if options.test else train(options)
    except Exception as error:
        known = explained(error, options)
        if known is None:
            raise
        print(f"lrtui.train: {known.text}", file=sys.stderr)
        return known.code


def _limit_threads(options: Options) -> None:
    """Set what OpenMP and MKL read when torch is imported."""
    if options.threads:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ[name] = str(options.threads)


def _leave(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    os._exit(0)


if __name__ == "__main__":
    raise SystemExit(main())
