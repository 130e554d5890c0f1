"""Python, packages, processor, memory, limits, clock and GPUs: what the machine is, without torch."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import resource
import sys
import time
from importlib import metadata
from pathlib import Path

from lrtui.cli.doctor.finding import Check, Finding, fail, listed, ok, warn
from lrtui.hardware import gpu
from lrtui.text.format import size
from lrtui.workers import keeper

_GIB = 1 << 30
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*(?:\[[^]]*\])?\s*\(?([^;)]*)\)?\s*(?:;(.*))?")
_BOUND = re.compile(r"\s*(>=|<=|==|!=|~=|>|<)\s*([0-9.]+)")
_CGROUPS = Path("/sys/fs/cgroup")


# ── Python and packages ───────────────────────────────────────────────────────────────────────────


def python() -> list[Finding]:
    """Say which Python runs, and whether lrtui was tried with it."""
    what = f"{platform.python_version()}, {sys.executable}"
    try:
        wanted = metadata.metadata("lrtui")["Requires-Python"] or ""
    except metadata.PackageNotFoundError:
        wanted = ""
    if wanted and not within(platform.python_version(), wanted):
        return [fail(f"{what}; lrtui needs {wanted}", f"make an environment with Python {wanted}")]
    return [ok(what)]


def packages() -> list[Finding]:
    """Compare what is installed with the ranges that were tried (those of lrtui's own requirements)."""
    try:
        requires = metadata.requires("lrtui") or []
    except metadata.PackageNotFoundError:
        return [
            warn(
                "lrtui is not installed as a package, so the ranges that were tried are unknown",
                "install it into this environment: pip install -e .",
            )
        ]
    found, good = [], []
    for line in requires:
        match = _REQUIREMENT.match(line)
        if match is None or "extra" in (match[3] or ""):
            continue
        name, bounds = match[1], match[2].strip()
        install = f"{sys.executable} -m pip install '{name}{bounds}'"
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            found.append(fail(f"{name} is not installed (tried: {bounds})", install))
            continue
        if within(version, bounds):
            good.append(f"{name} {version}")
        else:
            found.append(warn(f"{name} {version} was not tried (tried: {bounds})", install))
    return [ok(listed(good, 20)), *found] if good else found


def within(version: str, bounds: str) -> bool:
    """Tell whether a version's numbers lie within ">=2.6,<3"; what stands behind the numbers (rc1, +cpu) is left out."""
    number = _numbers(version)
    return all(
        _holds(number, operator, _numbers(bound)) for operator, bound in _BOUND.findall(bounds)
    )


def _holds(number: tuple[int, ...], operator: str, bound: tuple[int, ...]) -> bool:
    most = max(len(number), len(bound))
    a, b = (each + (0,) * (most - len(each)) for each in (number, bound))
    match operator:
        case ">=":
            return a >= b
        case "<=":
            return a <= b
        case ">":
            return a > b
        case "<":
            return a < b
        case "!=":
            return a != b
        case "~=":
            return a >= b and a[: len(bound) - 1] == bound[:-1]
    return a == b


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()


# ── processor and memory ──────────────────────────────────────────────────────────────────────────


def processor() -> list[Finding]:
    """Say how many cores there are for us, and what a cgroup grants of them."""
    cores = len(os.sched_getaffinity(0))
    text = _read(Path("/proc/cpuinfo"))
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    what = f"{cores} core(s), {model[1] if model else platform.machine()}"
    granted = cpu_quota()
    if granted is not None and granted < cores:
        return [
            warn(
                f"{what}; the cgroup grants {granted:g} of them",
                f"more runs at once than that only wait for each other: parallel = {max(1, int(granted))}",
            )
        ]
    return [ok(what)]


def cpu_quota() -> float | None:
    """Return how many cores the cgroup grants, None where it does not limit them."""
    found = []
    for text in _cgroup("cpu", "cpu.max", "cpu.cfs_quota_us"):
        quota, _, period = text.partition(" ")
        if quota.isdigit():
            found.append(int(quota) / (int(period) if period.isdigit() else 100_000))
    return min(found, default=None)


def memory() -> list[Finding]:
    """Say how much memory is free for runs, by the kernel and by the cgroup."""
    match = re.search(r"^MemAvailable:\s+(\d+)", _read(Path("/proc/meminfo")), re.MULTILINE)
    free = int(match[1]) * 1024 if match else 0
    what = f"{size(free)} available"
    limit = limit_of("memory", "memory.max", "memory.limit_in_bytes")
    if limit is not None and limit < 1 << 50:
        what += f", {size(limit)} granted by the cgroup"
        free = min(free, limit) if free else limit
    if not free:
        return [warn("the kernel does not say how much memory there is", "mount /proc")]
    if free < _GIB // 2:
        return [
            fail(f"{what}: too little for one run", "end other programs, or take a larger machine")
        ]
    if free < 2 * _GIB:
        return [warn(f"{what}; a run of the built-in trainer takes about 0.6 GiB", "parallel = 1")]
    return [ok(what)]


def limit_of(controller: str, v2: str, v1: str) -> int | None:
    """Return the smallest limit that the cgroups above this process set, None where there is none."""
    found = [int(text) for text in _cgroup(controller, v2, v1) if text.isdigit()]
    return min(found, default=None)


def _cgroup(controller: str, v2: str, v1: str) -> list[str]:
    """Return what one limit file says, in our cgroup and in all above it."""
    texts = []
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if number != "0" and controller not in names.split(","):
            continue
        base, name = (_CGROUPS, v2) if number == "0" else (_CGROUPS / controller, v1)
        parts = [part for part in path.split("/") if part and part != ".."]
        above = [base.joinpath(*parts[:depth], name) for depth in range(len(parts) + 1)]
        texts += [_read(path).strip() for path in above]
    return [text for text in texts if text]


# ── limits ────────────────────────────────────────────────────────────────────────────────────────


def descriptors() -> list[Finding]:
    """Say how many files a process may have open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    what = f"{_count(soft)} open files a process (at most {_count(hard)})"
    hint = f"ulimit -n {4096 if hard < 0 else min(4096, hard)}   # before lrtui"
    if 0 <= soft < 32:
        return [fail(f"{what}: too few for a supervisor", hint)]
    if 0 <= soft < 256:
        return [warn(f"{what}; data loaders want more", hint)]
    return [ok(what)]


def processes() -> list[Finding]:
    """Say how many processes we may have, and whether they can be told apart (pidfds, /proc)."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    granted = limit_of("pids", "pids.max", "pids.max")
    most = min((n for n in (soft, granted) if n is not None and n >= 0), default=-1)
    what = f"{_count(most)} processes and threads"
    found = [ok(what)]
    if 0 <= most < 256:
        hint = "ulimit -u 4096   # before lrtui; in a container: --pids-limit"
        found = [warn(f"{what}; each run takes two processes and its threads", hint)]
    try:
        os.close(os.pidfd_open(os.getpid()))
        known = keeper.start_time(os.getpid()) is not None and bool(keeper.boot_id())
    except (OSError, AttributeError):
        known = False
    if not known:
        found.append(
            fail(
                "processes cannot be identified (pidfd_open, /proc/PID/stat or the boot id is missing)",
                "lrtui needs Linux 5.3 or later with /proc mounted",
            )
        )
    return found


def other_limits() -> list[Finding]:
    """Name the limits that end a long training in the middle."""
    limits = {
        "a file's size (ulimit -f)": resource.RLIMIT_FSIZE,
        "a process's address space (ulimit -v)": resource.RLIMIT_AS,
        "a process's processor time (ulimit -t)": resource.RLIMIT_CPU,
    }
    found = []
    for name, number in limits.items():
        soft, hard = resource.getrlimit(number)
        if soft >= 0:
            unit = f"{soft} s" if number == resource.RLIMIT_CPU else size(soft)
            how = "raise it before lrtui: ulimit ... unlimited"
            hint = (
                how if hard < 0 else "ask the administrator, or use a machine meant for long jobs"
            )
            found.append(warn(f"{name} is limited to {unit}; runs that pass it die", hint))
    return found or [ok("file size, address space and processor time are not limited")]


def logout() -> list[Finding]:
    """Say whether runs outlive the login session (systemd's KillUserProcesses ends them with it)."""
    texts = [_read(Path("/etc/systemd/logind.conf"))]
    texts += [_read(path) for path in sorted(Path("/etc/systemd/logind.conf.d").glob("*.conf"))]
    values = re.findall(r"^\s*KillUserProcesses\s*=\s*(\w+)", "\n".join(texts), re.MULTILINE)
    lingers = Path("/var/lib/systemd/linger", _user()).exists()
    if values and values[-1].lower() in {"yes", "true", "1", "on"} and not lingers:
        what = "systemd ends your processes at logout (KillUserProcesses), runs included"
        return [warn(what, "loginctl enable-linger")]
    return [ok("nothing known here ends runs at logout")]


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _count(limit: int) -> str:
    return "unlimited" if limit < 0 else f"{limit}"


# ── clock ─────────────────────────────────────────────────────────────────────────────────────────


def clock() -> list[Finding]:
    """Say what time it is here: times are shown and commands expire by this clock, order never rests on it."""
    now = time.time()
    text = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now))
    built = Path(__file__).stat().st_mtime
    if now < built - 86_400:
        what = f"{text}: before this lrtui was installed"
        return [
            warn(
                what,
                "set the clock (timedatectl set-ntp true); ETAs and dates are wrong until then",
            )
        ]
    return [ok(f"{text}, {'kept' if _is_kept() else 'not known to be kept'} by a time service")]


def _is_kept() -> bool:
    """Tell whether the kernel's clock is being synchronised (adjtimex; 5 is TIME_ERROR)."""
    try:
        state: int = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return False
    return 0 <= state < 5


# ── GPUs ──────────────────────────────────────────────────────────────────────────────────────────


def gpus() -> list[Finding]:
    """Name the GPUs and the driver, and who else computes on them."""
    found = gpu.read()
    driver = gpu.driver()
    if not found:
        return [_no_gpu(driver)]
    lines = []
    if driver is not None:
        lines.append(ok(f"driver {driver.version}, offers CUDA {driver.cuda_text}"))
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and hidden.strip() in {"", "-1"}:
        what = f"CUDA_VISIBLE_DEVICES hides the {len(found)} GPU(s) from everything started here"
        lines.append(warn(what, "unset CUDA_VISIBLE_DEVICES"))
    return [*lines, *(_gpu(reading) for reading in found)]


def _gpu(reading: gpu.Gpu) -> Finding:
    heat = "" if reading.temperature is None else f", {reading.temperature} C"
    what = (
        f"GPU {reading.index}: {reading.name}, {reading.memory_used_mib} of "
        f"{reading.memory_total_mib} MiB in use{heat}"
    )
    if reading.memory_used_mib > reading.memory_total_mib // 10:
        who = f" (pid {listed(reading.processes)})" if reading.processes else ""
        return warn(
            f"{what}: others compute on it{who}",
            f"lrtui leaves it out; devices = [{reading.index}] takes it",
        )
    return ok(what)


def _no_gpu(driver: gpu.DriverVersion | None) -> Finding:
    """Tell a machine without a GPU from one whose GPU cannot be reached."""
    cards = nvidia_cards()
    if driver is not None:
        return warn(
            f"driver {driver.version}, and no GPU answers", "nvidia-smi; in a container: --gpus all"
        )
    if cards:
        what = f"{cards} NVIDIA card(s) in the machine, and no driver that answers"
        return fail(
            what,
            "install the NVIDIA driver, or load it: modprobe nvidia; in a container: --gpus all",
        )
    return ok("none; runs train on the CPU")


def nvidia_cards(bus: Path = Path("/sys/bus/pci/devices")) -> int:
    """Return how many NVIDIA display controllers the bus shows, driver or not."""
    return sum(
        _read(card / "vendor").strip() == "0x10de" and _read(card / "class").startswith("0x03")
        for card in (bus.iterdir() if bus.is_dir() else ())
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


CHECKS: dict[str, Check] = {
    "python": python,
    "packages": packages,
    "processor": processor,
    "memory": memory,
    "open files": descriptors,
    "processes": processes,
    "limits": other_limits,
    "logout": logout,
    "clock": clock,
    "gpu": gpus,
}
