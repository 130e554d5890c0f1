"""`python -m lrtui.cli.doctor.torch_probe`: imports torch as a worker would, and prints what it can do as one line of JSON.

A process of its own, since importing torch takes seconds and may crash, and lrtui itself never imports it. `pytorch`
starts it, waits, and judges the answer. Failures are reported as text; the exit code is 0 unless torch crashes the process.
"""

from __future__ import annotations

import importlib.util
import json
import time
import warnings
from typing import Any


def main() -> int:
    """Print the answer; return 0."""
    answer: dict[str, Any] = {}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            answer = _look()
        except ModuleNotFoundError as error:
            known = error.name == "torch"
            answer = {"missing": True} if known else {"error": f"{error}"[:2000]}
        except Exception as error:  # noqa: BLE001  # torch may fail in any way; that is the answer
            answer = {"error": f"{type(error).__name__}: {error}"[:2000]}
    answer["said"] = [str(each.message)[:500] for each in said][:20]
    print(json.dumps(answer), flush=True)
    return 0


def _look() -> dict[str, Any]:
    began = time.monotonic()
    import torch

    took = time.monotonic() - began
    available = bool(torch.cuda.is_available())
    return {
        "version": str(torch.__version__),
        "where": str(torch.__file__),
        "seconds": took,
        "cuda": torch.version.cuda,
        "hip": getattr(torch.version, "hip", None),
        "available": available,
        "kernels": list(torch.cuda.get_arch_list()) if available else [],
        "devices": [_device(torch, n) for n in range(torch.cuda.device_count())]
        if available
        else [],
        "torchvision": _try(_vision_fits),
        "without_torchvision": importlib.util.find_spec("torchvision") is None,
    }


def _device(torch: Any, number: int) -> dict[str, Any]:
    """Return a GPU's name and capability, and whether it really computes."""
    major, minor = torch.cuda.get_device_capability(number)
    return {
        "name": torch.cuda.get_device_name(number),
        "capability": [major, minor],
        "fault": _try(lambda: _compute(torch, number)),
    }


def _compute(torch: Any, number: int) -> str:
    device = torch.device("cuda", number)
    one = torch.ones(64, 64, device=device)
    value = float((one @ one).sum())
    return "" if value == 64.0**3 else f"a product came out as {value} instead of {64.0**3}"


def _vision_fits() -> str:
    """Import torchvision: one built for another torch fails here, not in the middle of a preparation."""
    import torchvision

    return str(torchvision.__version__)


def _try(ask: Any) -> Any:
    try:
        return ask()
    except Exception as error:  # noqa: BLE001  # see main
        return f"{type(error).__name__}: {error}"[:500]


if __name__ == "__main__":
    raise SystemExit(main())
