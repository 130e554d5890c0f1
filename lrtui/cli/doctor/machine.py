"""Python, packages, memory, limits and GPUs: what the machine is, without torch."""

from __future__ import annotations

import importlib.util
import os
import platform
import resource
import sys
from importlib import metadata
from pathlib import Path

from lrtui.cli.doctor.finding import Check, Finding, fail, listed, ok, warn
from lrtui.hardware import gpu
from lrtui.text.format import size
from lrtui.text.install import install
from lrtui.workers import keeper

_GIB = 1 << 30
_OPTIONAL = {
    "matplotlib": ("reports and exports have no charts", "report"),
    "textual_serve": ("no `lrtui serve`", "web"),
}
"""What is unavailable if a module is not installed, and the extra that installs it."""
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""The container's own limit: cgroup version 2 and version 1."""


def python() -> list[Finding]:
    """Compare Python and the installed packages with the versions that lrtui requires."""
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    what = f"{platform.python_version()}, {sys.executable}"
    try:
        about = metadata.metadata("lrtui")
    except metadata.PackageNotFoundError:
        hint = "install it into this environment: pip install -e ."
        return [ok(what), warn("lrtui is not installed as a package: versions unchecked", hint)]
    wanted = about["Requires-Python"] or ""
    found = [ok(what)]
    if not SpecifierSet(wanted).contains(platform.python_version(), prereleases=True):
        hint = f"make an environment with Python {wanted}"
        found = [fail(f"{what}; lrtui needs {wanted}", hint)]
    for line in metadata.requires("lrtui") or []:
        need = Requirement(line)
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            found += _package(need.name, need.specifier.contains, str(need.specifier))
    gone = [name for name in _OPTIONAL if importlib.util.find_spec(name) is None]
    return [
        *found,
        *(
            ok(f"without {name}: {_OPTIONAL[name][0]}: {install(_OPTIONAL[name][1])}")
            for name in gone
        ),
    ]


def _package(name: str, fits: object, versions: str) -> list[Finding]:
    """Return what is wrong with the installed version of a package; [] if nothing is."""
    install = f"{sys.executable} -m pip install '{name}{versions}'"
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return [fail(f"{name} is not installed (needs {versions})", install)]
    if not fits(version, prereleases=True):  # type: ignore[operator]
        return [warn(f"{name} {version} is untested (tested: {versions})", install)]
    return []


def memory() -> list[Finding]:
    """Report how much memory is free for runs, according to the kernel and the container's limit."""
    import psutil

    free = psutil.virtual_memory().available
    what = f"{size(free)} available"
    limits = [int(text) for text in map(_read, map(Path, _CGROUP_LIMITS)) if text.isdigit()]
    if limits and min(limits) < free:
        free = min(limits)
        what += f", {size(free)} granted by the cgroup"
    if free < _GIB // 2:
        return [fail(f"{what}: too little for one run", "end other programs")]
    if free < 2 * _GIB:
        return [warn(f"{what}; a run of the built-in trainer takes about 0.6 GiB", "parallel = 1")]
    return [ok(what)]


def descriptors() -> list[Finding]:
    """Report how many files a process may have open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    what = f"{'unlimited' if soft < 0 else soft} open files per process"
    hint = f"ulimit -n {4096 if hard < 0 else min(4096, hard)}   # before lrtui"
    if 0 <= soft < 32:
        return [fail(f"{what}: too few for a supervisor", hint)]
    if 0 <= soft < 256:
        return [warn(f"{what}: too few for data loaders", hint)]
    return [ok(what)]


def processes() -> list[Finding]:
    """Report whether processes can be identified: lrtui never signals a process by its pid only."""
    try:
        os.close(os.pidfd_open(os.getpid()))
        known = keeper.start_time(os.getpid()) is not None and bool(keeper.boot_id())
    except (OSError, AttributeError):
        known = False
    if known:
        return [ok("can be identified (pidfd, start time, boot id)")]
    what = "cannot be identified (pidfd_open, /proc/PID/stat or the boot id is missing)"
    return [fail(what, "lrtui needs Linux 5.3 or later with /proc mounted")]


def gpus() -> list[Finding]:
    """Report the GPUs, the driver, and other processes on the GPUs."""
    found = gpu.read()
    driver = gpu.driver()
    if not found:
        return [_no_gpu(driver)]
    lines = []
    if driver is not None:
        lines.append(ok(f"driver {driver.version}, offers CUDA {driver.cuda_text}"))
    if os.environ.get("CUDA_VISIBLE_DEVICES", "unset").strip() in {"", "-1"}:
        what = f"CUDA_VISIBLE_DEVICES hides the {len(found)} GPU(s)"
        lines.append(warn(what, "unset CUDA_VISIBLE_DEVICES"))
    return [*lines, *(_gpu(reading) for reading in found)]


def _gpu(reading: gpu.Gpu) -> Finding:
    used, total = reading.memory_used_mib, reading.memory_total_mib
    what = f"GPU {reading.index}: {reading.name}, {used} of {total} MiB in use"
    if used <= total // 10:
        return ok(what)
    who = f" (pid {listed(reading.processes)})" if reading.processes else ""
    hint = f"lrtui leaves it out; devices = [{reading.index}] takes it"
    return warn(f"{what} by other processes{who}", hint)


def _no_gpu(driver: gpu.DriverVersion | None) -> Finding:
    """Distinguish a machine without a GPU from one whose GPU cannot be reached."""
    if driver is not None:
        what = f"driver {driver.version}, and no GPU answers"
        return warn(what, "nvidia-smi; in a container: --gpus all")
    if cards := nvidia_cards():
        what = f"{cards} NVIDIA card(s) in the machine, and no driver that answers"
        hint = "install or load the NVIDIA driver: modprobe nvidia; in a container: --gpus all"
        return fail(what, hint)
    return ok("none; runs train on the CPU")


def nvidia_cards(bus: Path = Path("/sys/bus/pci/devices")) -> int:
    """Return how many NVIDIA display controllers the bus shows, driver or not."""
    return sum(
        _read(card / "vendor") == "0x10de" and _read(card / "class").startswith("0x03")
        for card in (bus.iterdir() if bus.is_dir() else ())
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


CHECKS: dict[str, Check] = {
    "python": python,
    "memory": memory,
    "open files": descriptors,
    "processes": processes,
    "gpu": gpus,
}
