"""The parent of one worker: starts it, waits for it, ends what it leaves behind, and writes exit.json.

`launchers.local` runs this file by its path, as `python -I -S keeper.py LOCK_FD ATTEMPT_DIR`: standard library only, so that it
starts fast and an upgrade of lrtui does not reach a run that has begun. The supervisor may die and come back, and only a worker's
parent learns its exit code. `preload` calls the same three steps, `claim`, `prepare` in the worker and `keep` in its parent, where
the worker is a fork that executes nothing.

The locked descriptor is inherited over the fork: as long as keeper or worker live, no other process can start this attempt.
`claim` is made with O_EXCL, so a launch may be repeated and a start may not.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
"""typing's own costs the start 4 ms."""
if TYPE_CHECKING:
    import signal
    from typing import Any, NoReturn
else:
    import _signal as signal  # the enums of `signal` cost the start 8 ms

HEAD = 1 << 20
"""Bytes kept at the beginning of a capped output.log."""
TAIL = 8 << 20
"""Bytes kept at its end."""
CAP = 64 << 20
"""Bytes that output.log may hold on disk before its middle is given back."""
CONVERTER_STARTS = 10
"""A converter that died this often is not started again."""
CONVERTER_SECONDS = 60.0
"""Seconds for a converter to read the rest after its worker has ended."""
_LONGEST = 1 << 20
_ENVIRON = 1 << 16
_BLOCK = 4096
_adopts = False
"""Whether processes that a worker leaves behind become children of this process."""


def main(lock_fd: int, attempt: str, *, waits: bool = True) -> int:
    """Keep one worker from its start to its exit.json; return 0, or 1 where the claim was taken.

    Without `waits`, the worker does not wait until its pid.json is on disk: a file server has every closed file.
    """
    spec = claim(attempt)
    if spec is None:
        return 1
    worker = os.fork()
    if worker == 0:
        argv = prepare(spec, attempt, lock_fd)
        try:
            os.execvp(argv[0], argv)  # noqa: S606  # never a shell
        except (OSError, ValueError) as error:
            refuse(argv[0], error)
    keep(worker, spec, attempt, lock_fd, waits=waits)
    return 0


def claim(attempt: str) -> dict[str, object] | None:
    """Become the keeper of an attempt; return its argv.json, None if another keeper was first."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    try:
        fd = os.open(f"{attempt}/claim", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return None
    while True:
        try:
            os.write(fd, b"%d\n" % os.getpid())
            break
        except OSError as error:
            _log(f"cannot write {attempt}/claim: {error}")
            time.sleep(1)
    os.close(fd)
    with open(f"{attempt}/argv.json", encoding="utf-8") as file:
        spec: dict[str, object] = from_json(file.read())
    _adopt_orphans()
    return spec


def keep(
    worker: int,
    spec: dict[str, object],
    attempt: str,
    lock_fd: int = -1,
    *,
    waits: bool = True,
) -> None:
    """Write pid.json, wait for the worker, end what it leaves behind, and write exit.json.

    If the attempt has a converter for the worker's logger files, it runs beside the worker and holds the lock too.
    """
    token = os.environ["LRTUI_TOKEN"]
    identity: dict[str, object] = {
        "worker": worker,
        "keeper": os.getpid(),
        "start": start_time(worker),
        "keeper_start": start_time(os.getpid()),
        "boot_id": boot_id(),
        "token": token,
    }
    _write_patiently(f"{attempt}/pid.json", identity, synced=waits)
    converter = _Converter(spec, attempt, lock_fd)
    status = _wait(worker, _Output(attempt, spec), converter)
    left = _sweep(token, converter)
    code = os.waitstatus_to_exitcode(status)
    converter.finish(code)
    ending: dict[str, object] = {
        "code": code if code >= 0 else None,
        "signal": -code if code < 0 else None,
        "at": time.time(),
        "left": left,
    }
    _write_patiently(f"{attempt}/exit.json", ending)


def prepare(spec: dict[str, object], attempt: str, lock_fd: int) -> list[str]:
    """Make this new process the worker and return its argv: own session, output to a file, the lock inherited.

    A failure is written to output.log and ends the process with code 127.
    """
    what = f"{attempt}/output.log"
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_NOFOLLOW
        output = os.open(f"{attempt}/output.log", flags, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(null)
        os.close(output)
        os.set_inheritable(lock_fd, True)
        _wait_for_pid_file(attempt)
        what = "the earlier checkpoint"
        _hand_on_checkpoint(spec.get("checkpoint_from"), f"{attempt}/checkpoint")
        argv = [str(word) for word in spec["argv"]]  # type: ignore[attr-defined]
        what = str(spec["cwd"])
        os.chdir(what)
    except BaseException as error:  # noqa: BLE001  # nothing may return from the child
        refuse(what, error)
    return argv


def _wait_for_pid_file(attempt: str) -> None:
    """Return once pid.json identifies this worker; exit if its keeper died before that.

    Such a worker could not be told from what it leaves behind: a run whose script started a daemon would never end.
    """
    with open(f"{attempt}/claim", encoding="utf-8") as file:
        keeper = int(file.read())
    while not os.path.exists(f"{attempt}/pid.json"):
        if os.getppid() != keeper or not os.path.exists(f"{attempt}/claim"):
            os._exit(127)
        time.sleep(0.001)


def refuse(what: str, error: BaseException) -> NoReturn:
    """Print why the worker could not start, and end this process."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    os.write(2, f"lrtui: cannot start {what}: {reason}\n".encode(errors="replace"))
    os._exit(127)


def _hand_on_checkpoint(source: object, target: str) -> None:
    """Copy an earlier attempt's checkpoint (file or folder, with its .previous), whole or not at all.

    Links stay links, so nothing outside the attempt is read; but a checkpoint that is itself a link to another file or folder
    of its attempt (checkpoint -> step-500) is copied as what it leads to.
    """
    if not isinstance(source, str):
        return
    import shutil

    root = os.path.realpath(os.path.dirname(source))
    for suffix in ("", ".previous"):
        found, made = source + suffix, target + suffix
        real = os.path.realpath(found)
        if os.path.islink(found) and not real.startswith(root + os.sep):
            os.symlink(os.readlink(found), made)
            continue
        if os.path.isdir(real):
            shutil.copytree(real, made + ".tmp", symlinks=True, dirs_exist_ok=True)
        elif os.path.exists(real):
            shutil.copyfile(real, made + ".tmp")
        else:
            continue
        os.rename(made + ".tmp", made)


def _wait(worker: int, output: _Output, converter: _Converter) -> int:
    """Return the worker's wait status; meanwhile reap orphans, restart a dead converter, and keep the output within its cap."""
    while True:
        signal.sigtimedwait({signal.SIGCHLD}, 1.0)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == worker:
                return status
            if pid == 0:
                break
            converter.reaped(pid)
        try:
            output.cap()
        except OSError as error:
            _log(f"cannot cap {output.path}: {error}")


class _Converter:
    """The process that reads the worker's logger files; there is none for an attempt without `read`."""

    def __init__(self, spec: dict[str, object], attempt: str, lock_fd: int) -> None:
        words = spec.get("converter")
        self.pid = 0
        self._argv = [str(word) for word in words] if isinstance(words, list) else []
        self._lock_fd = lock_fd
        self._pipe = -1
        self._starts = CONVERTER_STARTS
        self._ending = b""
        if self._argv:
            _write_patiently(f"{attempt}/read.json", spec["read"])  # type: ignore[arg-type]
            self._start()

    def reaped(self, pid: int) -> None:
        """Start another converter if this ended child was the converter."""
        if pid and pid == self.pid:
            os.close(self._pipe)
            self.pid, self._pipe = 0, -1
            self._start()

    def finish(self, code: int) -> None:
        """Wait, with a time limit, until the converter has read everything that the worker wrote; the worker has ended with `code`."""
        self._ending = b"%d\n" % code
        self._tell()
        deadline = time.monotonic() + CONVERTER_SECONDS
        while self.pid:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                pid, status = self.pid, -1
            if pid and status == 0:
                return
            self.reaped(pid)
            if self.pid and time.monotonic() > deadline:
                _log(f"converter {self.pid} has not finished after {CONVERTER_SECONDS} s")
                os.kill(self.pid, signal.SIGKILL)
                return
            time.sleep(0.01)

    def _start(self) -> None:
        if not self._starts:
            _log("the converter died too often; logger files are no longer read")
            return
        self._starts -= 1
        reader, self._pipe = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._become(reader)
        os.close(reader)
        if self._ending:
            self._tell()

    def _become(self, reader: int) -> NoReturn:
        """Run the converter: without the token, so that no signal to the worker reaches it, and with the lock."""
        try:
            os.dup2(reader, 0)
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            if self._lock_fd >= 0:
                os.set_inheritable(self._lock_fd, True)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            kept = {k: v for k, v in os.environ.items() if not k.startswith("LRTUI_")}
            os.execve(self._argv[0], self._argv, kept)  # noqa: S606  # never a shell
        except (OSError, ValueError) as error:
            _log(f"cannot start {self._argv[0]}: {error}")
        os._exit(127)

    def _tell(self) -> None:
        """Write how the worker ended."""
        try:  # noqa: SIM105  # see _log
            os.write(self._pipe, self._ending)
        except OSError:
            pass  # it has died, and will be restarted


class _Output:
    """output.log of one attempt, kept within its cap by punching a hole into its middle."""

    def __init__(self, attempt: str, spec: dict[str, object]) -> None:
        self.path = f"{attempt}/output.log"
        self.printed = f"{attempt}/printed.jsonl"
        self.parse = spec.get("parse")
        self.limit = int(str(spec.get("log_cap") or CAP))
        self.head = min(HEAD, self.limit // 8) // _BLOCK * _BLOCK
        self.tail = min(TAIL, self.limit // 4)
        self.scanned = 0
        """Where the next line to be scanned begins; every metric line before it is saved."""

    def cap(self) -> None:
        """Deallocate the middle of the file once it holds more than the cap."""
        try:
            size = os.stat(self.path)
        except FileNotFoundError:
            return
        if size.st_blocks * 512 <= self.limit:
            return
        end = (size.st_size - self.tail) // _BLOCK * _BLOCK
        if end <= self.head:
            return
        fd = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW)
        try:
            self._save(fd, end)
            _punch(fd, self.head, end - self.head)
        finally:
            os.close(fd)

    def _save(self, fd: int, end: int) -> None:
        """Append to printed.jsonl every metric line that begins before `end`, with its offset."""
        matches = self._recogniser()  # type: ignore[no-untyped-call]
        flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_NOFOLLOW
        out = os.open(self.printed, flags, 0o600)
        try:
            for offset, line in self._lines(fd, end):
                if matches(line):
                    record = {"offset": offset, "line": line.decode("utf-8", "replace")}
                    os.write(out, to_json(record).encode() + b"\n")
            os.fsync(out)
        finally:
            os.close(out)

    def _lines(self, fd: int, end: int):  # type: ignore[no-untyped-def]  # noqa: ANN202  # a generator; typing costs the start 4 ms
        """Yield (offset, line) for the lines that begin in [scanned, end); a line over 1 MiB is passed over."""
        held = b""
        position = self.scanned
        while self.scanned < end:
            chunk = os.pread(fd, 1 << 20, position)
            if not chunk:
                return
            position += len(chunk)
            lines = (held + chunk).replace(b"\r", b"\n").split(b"\n")
            held = lines.pop()
            for line in lines:
                if self.scanned >= end:
                    return
                yield self.scanned, line
                self.scanned += len(line) + 1
            if len(held) > _LONGEST:
                self.scanned += len(held)
                held = b""

    def _recogniser(self):  # type: ignore[no-untyped-def]  # noqa: ANN202  # see _lines
        said = self.parse if isinstance(self.parse, list) else [self.parse]
        sources = [each for each in said if isinstance(each, str)]
        if not sources:
            return _may_be_json
        import re

        patterns = [re.compile(each) for each in sources]
        escapes = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]?|\x08")

        def matches(line: bytes) -> bool:
            if _may_be_json(line):
                return True
            text = escapes.sub(b"", line[:65536]).decode("utf-8", "replace")
            return any(pattern.search(text) for pattern in patterns)

        return matches


def _may_be_json(line: bytes) -> bool:
    """Return whether a line may contain a metric: a JSON object anywhere in it."""
    at = line.find(b"{")
    return at >= 0 and b"}" in line[at:]


def _punch(fd: int, offset: int, length: int) -> None:
    """Deallocate a range of a file; its size and the offsets after the range stay."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    keep_size_and_punch_hole = 0x01 | 0x02
    if libc.fallocate(fd, keep_size_and_punch_hole, ctypes.c_long(offset), ctypes.c_long(length)):
        raise OSError(ctypes.get_errno(), "fallocate")


def _adopt_orphans() -> None:
    """Become the parent of processes that the worker leaves behind (prctl PR_SET_CHILD_SUBREAPER)."""
    global _adopts  # noqa: PLW0603  # a keeper is a process
    subreaper = (36, 1, 0, 0, 0)
    try:
        import _ctypes  # `ctypes` itself costs the start 8 ms

        program = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]  # as `ctypes` does
        _adopts = _ctypes.call_function(_ctypes.dlsym(program, "prctl"), subreaper) == 0
    except (ImportError, AttributeError):  # an alternative Python implementation
        import ctypes

        _adopts = ctypes.CDLL(None).prctl(*subreaper) == 0


def _sweep(token: str, converter: _Converter) -> int:
    """End every process the worker left; return how many could not be ended.

    They are children of this process now. If there are none, /proc need not be searched, which costs 25 us per process on the machine.
    """
    if _adopts and not _has_children(converter):
        return 0
    began = time.monotonic()
    while True:
        left = set(bearers(token)) | set(children(os.getpid()))
        left -= {os.getpid(), converter.pid}
        waited = time.monotonic() - began
        if not left or waited > 10:
            return len(left)
        for pid in left:
            _signal_left(pid, token, signal.SIGTERM if waited < 1 else signal.SIGKILL)
            _signal_left(pid, token, signal.SIGCONT)
        deadline = time.monotonic() + 0.05
        while time.monotonic() < deadline:
            try:
                pid = os.waitpid(-1, os.WNOHANG)[0]
                converter.reaped(pid)
                if pid == 0:
                    time.sleep(0.01)
            except ChildProcessError:
                time.sleep(0.01)


def _has_children(converter: _Converter) -> bool:
    try:
        while pid := os.waitpid(-1, os.WNOHANG)[0]:
            converter.reaped(pid)
    except ChildProcessError:
        return False
    return True


def children(parent: int) -> list[int]:
    """Return a process's living children; a keeper's are also the worker's orphans, since it is their subreaper."""
    return [pid for pid in children_of(parent, parent) if not is_zombie(pid)]


def children_of(parent: int, thread: int) -> list[int]:
    """Return the children that one thread of a process has started, zombies included."""
    try:
        with open(f"/proc/{parent}/task/{thread}/children", encoding="utf-8") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def _signal_left(pid: int, token: str, number: int) -> None:
    """Signal the processes that the worker left, each through a pidfd after checking it again: a pid may be reused.

    Orphans of this process are signalled even without the token: they may have cleared their environment.
    """
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if bears(pid, b"LRTUI_TOKEN=" + token.encode()) or pid in children(os.getpid()):
            signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        pass
    except PermissionError:
        _log(f"not allowed to signal {pid}")
    finally:
        os.close(fd)


def bearers(token: str) -> list[int]:
    """Return the living processes that carry LRTUI_TOKEN=`token` in their environment (2.7 ms for 106 processes, n = 3)."""
    wanted = b"LRTUI_TOKEN=" + token.encode()
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if bears(pid, wanted)]


def bears(pid: int, wanted: bytes) -> bool:
    """Return whether a process was started with `wanted` (NAME=value) in its environment, and is not a zombie."""
    environ = _environ(pid)
    return wanted in environ and wanted in environ.split(b"\0") and not is_zombie(pid)


def _environ(pid: int) -> bytes:
    """Return a process's initial environment, NAME=value separated by zero bytes; empty if it has ended or belongs to another user.

    In the middle of an exec a process has no environment yet: wait for it, at most one second.
    """
    for _ in range(1000):
        try:
            if environ := _read_environ(pid):
                return environ
            os.readlink(f"/proc/{pid}/exe")  # a zombie and a thread of the kernel have none
        except OSError:
            return b""
        if stat_fields(pid)[48:49] != ["0"]:  # the exec is over, or there was none
            break
        time.sleep(0.001)
    try:
        return _read_environ(pid)
    except OSError:
        return b""


def _read_environ(pid: int) -> bytes:
    fd = os.open(f"/proc/{pid}/environ", os.O_RDONLY | os.O_CLOEXEC)  # a third of what open() costs
    try:
        content = os.read(fd, _ENVIRON)
        while len(content) % _ENVIRON == 0 and (more := os.read(fd, _ENVIRON)):
            content += more
        return content
    finally:
        os.close(fd)


def start_time(pid: int) -> int | None:
    """Return a process's start in clock ticks since boot (field 22 of its stat), None if there is none."""
    fields = stat_fields(pid)
    return int(fields[19]) if fields else None


def is_zombie(pid: int) -> bool:
    """Return whether a process is a zombie or does not exist."""
    fields = stat_fields(pid)
    return not fields or fields[0] in ("Z", "X")


def stat_fields(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on (the command's name may hold anything); [] if there is no process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].decode("ascii", "replace").split()
    except OSError:
        return []


def boot_id() -> str:
    """Return the id of this boot: a pid means nothing after another one."""
    with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
        return file.read().strip()


class _Plain:
    """How the scanner of `json` reads by default."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float


def from_json(text: str) -> Any:
    """Return what `json.loads` returns; importing json costs the start 12 ms, its C parts cost nothing.

    Raises:
        ValueError: the text is not JSON.

    """
    try:
        from _json import make_scanner

        scan = make_scanner(_Plain)  # type: ignore[arg-type]  # whatever has these attributes
    except (ImportError, AttributeError, TypeError):  # an alternative Python implementation
        import json

        return json.loads(text)
    text = text.strip()
    try:
        content, end = scan(text, 0)
    except StopIteration:
        end = -1
    if end != len(text):
        raise ValueError(f"no JSON: {text[:80]!r}")
    return content


def to_json(content: object) -> str:
    """Return what `json.dumps` returns; see from_json."""
    try:
        from _json import encode_basestring_ascii, make_encoder

        encode = make_encoder(
            None, str, encode_basestring_ascii, None, ": ", ", ", False, False, True
        )
    except (ImportError, TypeError):  # an alternative Python implementation
        import json

        return json.dumps(content)
    return "".join(encode(content, 0))


def _log(text: str) -> None:
    """Write a line to the supervisor's log; ignore a full disk, which a keeper must survive."""
    try:  # noqa: SIM105  # importing contextlib costs the start 8 ms
        print(f"keeper: {text}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass


def _write_patiently(path: str, content: dict[str, object], *, synced: bool = True) -> None:
    """Write a JSON file atomically (tmp, fsync, rename); on a full disk, retry until there is space."""
    while True:
        try:
            write_atomic(path, to_json(content).encode(), synced=synced)
        except FileNotFoundError:
            return  # the directory was deleted: there is nowhere to report
        except OSError as error:
            _log(f"cannot write {path}: {error}")
            time.sleep(1)
        else:
            return


def write_atomic(path: str, content: bytes, *, synced: bool = True) -> None:
    """Put a file in place whole: tmp in the same directory (O_EXCL, 0600), fsync, rename, fsync of the directory; no fsync unless `synced`."""
    temporary = f"{path}.{os.getpid()}.tmp"
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW
    try:
        fd = os.open(temporary, flags, 0o600)
    except FileExistsError:
        os.unlink(temporary)
        fd = os.open(temporary, flags, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        if synced:
            os.fsync(fd)
    except OSError:
        os.unlink(temporary)
        raise
    finally:
        os.close(fd)
    os.rename(temporary, path)
    if not synced:
        return
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), sys.argv[2]))
