"""Whether torch works here and fits the driver: a separate process reports, pure rules judge.

The process starts first and is awaited last, because importing torch takes seconds.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import Self

import msgspec

from lrtui.cli.doctor.finding import Check, Finding, fail, ok, warn
from lrtui.hardware import gpu
from lrtui.text.format import duration
from lrtui.text.install import install

LIMIT_SECONDS = 120.0
"""An import from a cold network disk takes half a minute; one that takes longer than this hangs."""
_GET = "install the build that fits, as PyTorch's installation page says"


class Device(msgspec.Struct, frozen=True):
    """A GPU as torch sees it."""

    name: str
    capability: tuple[int, int]
    fault: str
    """Why it does not compute; "" if it does."""


class Answer(msgspec.Struct, frozen=True):
    """What `torch_probe` prints."""

    error: str = ""
    """Why torch cannot be imported."""
    missing: bool = False
    """Whether it is not installed; the user's own scripts may not need it."""
    said: list[str] = []
    """Its warnings."""
    version: str = ""
    where: str = ""
    seconds: float = 0.0
    """How long the import took."""
    cuda: str | None = None
    """The CUDA of the build: "12.8"; None for a build without."""
    hip: str | None = None
    available: bool = False
    """Whether torch can use a GPU."""
    kernels: list[str] = []
    """Architectures of the build: sm_90, compute_90."""
    devices: list[Device] = []
    torchvision: str = ""
    """Its version, or why it cannot be imported."""
    without_torchvision: bool = False
    """Whether it is not installed."""


class Probe:
    """The process that reports on torch. Use it in a `with`, which ends the process if it is still running."""

    def __init__(self, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._limit = limit_seconds
        self._child = subprocess.Popen(
            [sys.executable, "-m", "lrtui.cli.doctor.torch_probe"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child.poll() is None:
            self._child.kill()
            self._child.communicate()

    def answer(self) -> Answer:
        """Wait for the answer; a late or malformed answer becomes an error text."""
        try:
            out, err = self._child.communicate(timeout=self._limit)
        except subprocess.TimeoutExpired:
            return Answer(error=f"importing torch took longer than {duration(self._limit)}")
        code = self._child.returncode
        with contextlib.suppress(msgspec.MsgspecError, IndexError):
            found = msgspec.json.decode(out.strip().splitlines()[-1], type=Answer)
            if code == 0 and (found.error or found.version or found.missing):
                return found
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        words = err.decode("utf-8", "replace").strip().splitlines()
        return Answer(
            error=f"importing torch ended the process ({how}): {words[-1] if words else ''}"
        )


def judge(
    answer: Answer, gpus: tuple[gpu.Gpu, ...], driver: gpu.DriverVersion | None
) -> list[Finding]:
    """Return findings on torch's answer, given the machine's GPUs and driver."""
    if answer.missing:
        what = "PyTorch is not installed: your own scripts run, the built-in trainer (dataset = ...) does not"
        return [warn(what, install("train"))]
    if answer.error:
        again = f"{sys.executable} -m pip install --force-reinstall torch torchvision"
        return [fail(f"torch does not work: {answer.error}", again)]
    build = f"built for CUDA {answer.cuda}" if answer.cuda else _other_build(answer)
    found = [ok(f"{answer.version}, {build}, imported in {duration(answer.seconds)}", answer.where)]
    found += _fit(answer, gpus, driver)
    found += [_device(number, device, answer) for number, device in enumerate(answer.devices)]
    return [*found, *_vision(answer)]


def _other_build(answer: Answer) -> str:
    return f"built for ROCm {answer.hip}" if answer.hip else "a build for the CPU"


def _fit(
    answer: Answer, gpus: tuple[gpu.Gpu, ...], driver: gpu.DriverVersion | None
) -> list[Finding]:
    """Report whether the build fits the driver; [] if there is no GPU."""
    if not gpus or answer.hip:
        return []
    offered = driver.cuda_text if driver and driver.cuda > (0, 0) else "?"
    if answer.cuda is None:
        what = f"torch is a build for the CPU, and there are {len(gpus)} GPU(s): runs would train on the CPU"
        return [fail(what, f"{_GET}: one for CUDA {offered} or older")]
    if driver and driver.cuda > (0, 0) and _major(answer.cuda) > driver.cuda[0]:
        what = f"the driver {driver.version} is too old for this torch: it offers CUDA {offered}, the build needs {answer.cuda}"
        return [fail(what, f"update the driver, or {_GET}: one for CUDA {offered} or older")]
    if not answer.available:
        why = f": {answer.said[-1]}" if answer.said else ""
        what = f"torch cannot use the {len(gpus)} GPU(s){why}"
        return [
            fail(
                what,
                "unset CUDA_VISIBLE_DEVICES if it is set; else update the driver and restart the machine",
            )
        ]
    return [ok(f"the build (CUDA {answer.cuda}) fits the driver (CUDA {offered})")]


def _device(number: int, device: Device, answer: Answer) -> Finding:
    major, minor = device.capability
    what = f"cuda:{number} {device.name}, capability {major}.{minor}"
    if not has_kernels(device.capability, answer.kernels):
        return fail(
            f"{what}: the build has no kernels for it ({', '.join(answer.kernels)})",
            f"{_GET} {device.name}",
        )
    if device.fault:
        return fail(
            f"{what} does not compute: {device.fault}",
            "nvidia-smi shows whether the GPU is in order; else restart the machine",
        )
    return ok(f"{what}, computes")


def has_kernels(capability: tuple[int, int], kernels: list[str]) -> bool:
    """Return whether a build runs on a GPU: code of its generation, not newer than it, or code that the driver translates."""
    if not kernels:
        return True
    for name in kernels:
        kind, _, number = name.partition("_")
        digits = "".join(char for char in number if char.isdigit())
        if len(digits) < 2:
            continue
        made_for = (int(digits[:-1]), int(digits[-1]))
        same = made_for[0] == capability[0] or kind == "compute"
        exact = number[-1:] in {"a", "f"}  # sm_90a runs only on 9.0
        if (made_for == capability) if exact else (same and made_for <= capability):
            return True
    return False


def _vision(answer: Answer) -> list[Finding]:
    if answer.torchvision[:1].isdigit():
        return []
    if answer.without_torchvision:
        return [ok("no torchvision: only data sets of the built-in trainer need it")]
    what = f"torchvision does not fit this torch: {answer.torchvision}; digits and synthetic do not need it"
    again = f"{sys.executable} -m pip install --force-reinstall torch torchvision"
    return [warn(what, again)]


def _major(version: str) -> int:
    head = version.partition(".")[0]
    return int(head) if head.isdigit() else 0


def checks(probe: Probe) -> dict[str, Check]:
    """Return this chapter's checks, which depend on torch's answer."""
    return {"torch": lambda: judge(probe.answer(), gpu.read(), gpu.driver())}
