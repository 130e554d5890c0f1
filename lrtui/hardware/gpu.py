"""One reading of the machine's NVIDIA GPUs. No GPU, no driver or a broken one is a value, (), not an error.

The supervisor asks which GPUs are idle, the watcher shows their load. Through NVML, which takes no GPU memory; CUDA is never
initialised, since a process that did could not fork trainers.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU at one moment."""

    index: int
    """The index used by NVML and nvidia-smi, by PCI bus."""
    name: str
    memory_used_mib: int
    memory_total_mib: int
    utilisation: int | None
    """Percent; None if the driver does not report it (MIG, some laptops)."""
    uuid: str
    processes: tuple[int, ...]
    """The pids of processes that compute on it, in this pid namespace; an unprivileged container may not see those of others."""


@dataclass(frozen=True, slots=True)
class DriverVersion:
    """The NVIDIA driver."""

    version: str
    """580.65.06"""
    cuda: tuple[int, int]
    """The newest CUDA version that it supports, major and minor; (0, 0) if unknown."""

    @property
    def cuda_text(self) -> str:
        """The CUDA version as text: 12.4."""
        return f"{self.cuda[0]}.{self.cuda[1]}"


def driver() -> DriverVersion | None:
    """Return the driver's version; None if there is no driver. Never raises."""
    nvml = _Driver.get()
    if nvml is None:
        return None
    number = _try(lambda: int(nvml.nvmlSystemGetCudaDriverVersion_v2())) or 0  # 12040 is 12.4
    version = _text(_try(lambda: nvml.nvmlSystemGetDriverVersion()))  # noqa: PLW0108  # an old pynvml may not have it
    return DriverVersion(version or "unknown", (number // 1000, number % 1000 // 10))


def read() -> tuple[Gpu, ...]:
    """Return all GPUs; () if there is no driver. The first call takes about 50 ms, later ones a few ms; never raises."""
    nvml = _Driver.get()
    if nvml is None:
        return ()
    try:
        gpus = [_one(nvml, index) for index in range(nvml.nvmlDeviceGetCount())]
    except Exception:  # noqa: BLE001  # the driver was reloaded: the next reading initialises it again
        _Driver.forget()
        return ()
    return tuple(gpu for gpu in gpus if gpu is not None)


class _Driver:
    """pynvml, loaded and initialised once a process; remembered as absent where libnvidia-ml cannot be loaded."""

    _nvml: ModuleType | None = None
    _absent = False

    @classmethod
    def get(cls) -> Any:
        if cls._nvml is None and not cls._absent:
            try:
                ctypes.CDLL("libnvidia-ml.so.1")  # 1 ms; importing pynvml in vain costs 20
                import pynvml  # see above

                pynvml.nvmlInit()
                cls._nvml = pynvml
            except Exception:  # noqa: BLE001  # no library, no package, no driver, a version mismatch: no GPU
                cls._absent = True
        return cls._nvml

    @classmethod
    def forget(cls) -> None:
        cls._nvml = None


def _one(nvml: Any, index: int) -> Gpu | None:
    """Return one GPU; None if it does not answer (fallen off the bus)."""
    handle = _try(lambda: nvml.nvmlDeviceGetHandleByIndex(index))
    memory = _try(lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
    if handle is None or memory is None:
        return None
    load = _try(lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    processes = _try(lambda: nvml.nvmlDeviceGetComputeRunningProcesses(handle)) or ()
    return Gpu(
        index=index,
        name=_text(_try(lambda: nvml.nvmlDeviceGetName(handle))),
        memory_used_mib=int(memory.used) // _MIB,
        memory_total_mib=int(memory.total) // _MIB,
        utilisation=None if load is None else int(load),
        uuid=_text(_try(lambda: nvml.nvmlDeviceGetUUID(handle))),
        processes=tuple(sorted({int(process.pid) for process in processes})),
    )


def _try(ask: Callable[[], Any]) -> Any:
    """Return the result of an NVML call; None if this GPU or driver does not support it."""
    try:
        return ask()
    except Exception:  # noqa: BLE001  # NVMLError, and what old versions raise instead
        return None


def _text(text: object) -> str:
    """Return a name as printable ASCII; old versions of pynvml return bytes."""
    name = text.decode("ascii", "replace") if isinstance(text, bytes) else str(text or "")
    return "".join(char for char in name[:100] if " " <= char <= "~")
