"""A Slurm cluster on this machine, from Debian's slurmctld, slurmd, slurm-client and munge, run by the user who starts it.

    python -m tests.slurm.cluster up [--nodes N] [--cpus C] [--gpus G] [--folder FOLDER]
    python -m tests.slurm.cluster down | kill NODE | start NODE [--folder FOLDER]

It listens on loopback only, on free ports of its own, and has its own munge socket. Its GPUs are character devices that every
machine has: Slurm counts them and sets CUDA_VISIBLE_DEVICES. `down` ends everything by identity, also the jobs of killed nodes.
"""

import argparse
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from lrtui.workers import keeper
from tests.until import PATIENCE_SECONDS, until

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
SYSTEM = "/usr/sbin:/sbin"
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx")
PORTS = range(20000, 30000, 100)
"""Where a block of ports is looked for: below those that the kernel hands out, one port a node and one for the controller."""
REQUEUE_SECONDS = 5
"""A job that is requeued waits as long as a credential is valid: 120 s unless slurm.conf says otherwise."""
_MARK = "LRTUI_TEST_CLUSTER"
_CONFIGURATION = """\
ClusterName={name}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire={requeue}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
SlurmdTimeout=10
ReturnToService=2
KillWait=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MaxArraySize=10001
MaxJobCount=50000
SlurmdParameters=config_overrides
GresTypes=gpu
JobSubmitPlugins=lua
CliFilterPlugins=lua
PartitionName=main Nodes=ALL Default=YES DefaultTime=60 PriorityTier=1 PreemptMode=REQUEUE
PartitionName=high Nodes=ALL DefaultTime=60 PriorityTier=10 PreemptMode=OFF
"""
_FILTERS = {
    "job_submit.lua": """\
function slurm_job_submit(job, partitions, uid)
   local site = loadfile("{folder}/site.lua")
   return site and site()(job) or slurm.SUCCESS
end
function slurm_job_modify(job, record, partitions, uid)
   return slurm.SUCCESS
end
""",
    "cli_filter.lua": """\
function slurm_cli_setup_defaults(options, early)
   return slurm.SUCCESS
end
function slurm_cli_pre_submit(options, pack)
   local site = loadfile("{folder}/client.lua")
   return site and site()(options) or slurm.SUCCESS
end
function slurm_cli_post_submit(offset, job, step)
   return slurm.SUCCESS
end
""",
}
"""Lua by which a site changes and refuses jobs: a file that a test writes, site.lua for the controller and client.lua for sbatch,
returns a function of the job."""
_NODE = "NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} RealMemory=4000{gres} State=UNKNOWN\n"


class UnavailableError(Exception):
    """No cluster can run on this machine; the text says why."""


class Cluster:
    """The cluster of one folder, whose path must be short: it holds Unix sockets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.configuration = folder / "slurm.conf"
        self.name = f"lrtui{zlib.crc32(os.fsencode(folder)):08x}"
        self.environment = {"SLURM_CONF": str(self.configuration)}
        """What a client needs to reach it."""

    def up(self, nodes: int = 2, cpus: int = 4, gpus: int = 2) -> None:
        """Start it and return when all nodes are idle; raise UnavailableError, with nothing left, if that cannot be."""
        _require_programs()
        for name in ("state", *(f"spool/n{i}" for i in range(nodes))):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        try:
            with _free_ports(nodes + 1) as port:
                self._configure(port, nodes, cpus, gpus)
                self._start_munged()
                self.start_controller()
                for node in self.nodes():
                    self.start_node(node)
                self._wait_until_idle()
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        """End daemons, jobs and what a killed node left."""
        until(lambda: not self._signal(self.processes, signal.SIGKILL))

    def nodes(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "spool").iterdir())

    def run(self, *words: str) -> str:
        """Return what a client command prints."""
        done = subprocess.run(
            words,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout.strip()

    def kill_node(self, node: str) -> None:
        """Kill a node's slurmd; its jobs live on, as they do behind a cut network."""
        self._end_daemon(f"slurmd.{node}.pid", signal.SIGKILL)

    def start_node(self, node: str) -> None:
        words = ("-D", "-N", node, "-f", str(self.configuration))
        self._start("slurmd", *words, made=f"slurmd.{node}.pid")

    def stop_controller(self) -> None:
        self._end_daemon("slurmctld.pid", signal.SIGTERM)  # so that it saves its queue

    def kill_controller(self) -> None:
        self._end_daemon("slurmctld.pid", signal.SIGKILL)

    def start_controller(self) -> None:
        words = ("-D", "-i", "-f", str(self.configuration))
        self._start("slurmctld", *words, made="slurmctld.pid")

    def state(self, job: str) -> str:
        """Return a job's state and reason, as `RUNNING None`; nothing of a job that Slurm does not know."""
        done = subprocess.run(
            ["squeue", "--noheader", "--states=all", "--format=%T %r", f"--jobs={job}"],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return done.stdout.strip()

    def clear(self) -> None:
        """End all jobs, also those of killed nodes, start what is missing, and return when all nodes are idle."""
        for name in ("site.lua", "client.lua"):
            (self.folder / name).unlink(missing_ok=True)
        if not self._pid("slurmctld.pid"):
            self.start_controller()
        for node in self.nodes():
            if not self._pid(f"slurmd.{node}.pid"):
                self.start_node(node)
        self.run("scancel", f"--user={_user()}")
        self.run("scontrol", "update", "partitionname=main", "state=up")
        until(lambda: not self._signal(self.jobs, signal.SIGKILL))
        for node in self.nodes():
            state = self.run("sinfo", "--noheader", f"--nodes={node}", "--format=%T")
            if "down" in state or "drain" in state:
                self.run("scontrol", "update", f"nodename={node}", "state=resume")
        self._wait_until_idle()

    def processes(self) -> list[int]:
        """Return the living processes of the cluster, also those of nodes that were killed."""
        mark = f"{_MARK}={self.folder}".encode()
        return [*self.jobs(), *(pid for pid in _pids() if keeper.bears(pid, mark))]

    def jobs(self) -> list[int]:
        """Return the living processes of all jobs: by Slurm's name of the cluster, and by descent.

        A slurmstepd overwrites its environment, and one of a killed node has no parent: it is known by the log that it writes to.
        """
        mark = f"SLURM_CLUSTER_NAME={self.name}".encode()
        found = {pid for pid in _pids() if keeper.bears(pid, mark) or self._is_step(pid)}
        queue = list(found)
        while queue:
            new = set(keeper.children(queue.pop())) - found
            found |= new
            queue += new
        return sorted(found)

    def _configure(self, port: int, nodes: int, cpus: int, gpus: int) -> None:
        host = socket.gethostname().split(".")[0]
        devices = [f"/dev/{name}" for name in DEVICES[:gpus]]
        gres = f" Gres=gpu:{len(devices)}" if devices else ""
        text = _CONFIGURATION.format(
            name=self.name,
            host=host,
            port=port,
            user=_user(),
            folder=self.folder,
            requeue=REQUEUE_SECONDS,
        )
        for i in range(nodes):
            text += _NODE.format(node=f"n{i}", host=host, port=port + 1 + i, cpus=cpus, gres=gres)
        self.configuration.write_text(text)
        devices_text = "".join(f"Name=gpu File={device}\n" for device in devices)
        (self.folder / "gres.conf").write_text(devices_text)
        for name, text in _FILTERS.items():
            (self.folder / name).write_text(text.replace("{folder}", str(self.folder)))

    def _start_munged(self) -> None:
        folder = self.folder
        self._start(
            *(
                "munged",
                "--foreground",
                "--force",
                "--num-threads=2",
                f"--key-file={folder}/munge.key",
            ),
            *(f"--socket={folder}/munge.sock", f"--pid-file={folder}/munged.pid"),
            *(f"--log-file={folder}/munged.log", f"--seed-file={folder}/munged.seed"),
            made="munge.sock",
        )

    def _start(self, program: str, *words: str, made: str) -> None:
        """Start a daemon that outlives its starter; return when `made` is there, raise UnavailableError if it ends before."""
        log = self.folder / f"{made}.out"
        with log.open("wb") as output:
            child = subprocess.Popen(
                [str(_found(program)), *words],
                env={**os.environ, **self.environment, _MARK: str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd="/",  # that of a test goes away
            )
        file = self.folder / made
        until(lambda: child.poll() is not None or _holds(file, child.pid) or file.is_socket())
        if child.poll() is not None:
            raise UnavailableError(f"{program} ended at once: {_last_lines(log)}")

    def _wait_until_idle(self) -> None:
        def idle() -> bool:
            nonlocal shown
            shown = self.run("sinfo", "--noheader", "--Node", "--partition=main", "--format=%T")
            return shown.split() == ["idle"] * len(self.nodes())

        shown = ""
        try:
            until(idle, every=0.1)
        except AssertionError as error:
            raise AssertionError(f"not idle: {shown}, {self.run('squeue')}") from error

    def _end_daemon(self, name: str, number: int) -> None:
        pid = self._pid(name)
        assert pid, name
        os.kill(pid, number)
        until(lambda: keeper.is_zombie(pid))

    def _pid(self, name: str) -> int | None:
        try:
            pid = int((self.folder / name).read_text())
        except (OSError, ValueError):
            return None
        return pid if keeper.bears(pid, f"{_MARK}={self.folder}".encode()) else None

    def _is_step(self, pid: int) -> bool:
        try:
            if not Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"slurmstepd"):
                return False
            files = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        except OSError:
            return False
        return not keeper.is_zombie(pid) and any(
            file.startswith(f"{self.folder}/slurmd.") for file in files
        )

    @staticmethod
    def _signal(find: Callable[[], list[int]], number: int) -> int:
        """Signal the processes that `find` returns; return how many there were.

        It is asked again behind their pidfds, so that a recycled pid is never hit.
        """
        with contextlib.ExitStack() as stack:
            opened: dict[int, int] = {}
            for pid in find():
                with contextlib.suppress(ProcessLookupError):
                    opened[pid] = os.pidfd_open(pid)
                    stack.callback(os.close, opened[pid])
            for pid in opened.keys() & set(find()):
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(opened[pid], number)
            return len(opened)


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _found(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{SYSTEM}")


def _require_programs() -> None:
    missing = [program for program in PROGRAMS if not _found(program)]
    if missing:
        packages = "slurmctld slurmd slurm-client munge"
        raise UnavailableError(
            f"needs {', '.join(missing)}: apt-get install --no-install-recommends {packages}"
        )


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        raise UnavailableError("needs a user with a name") from None


@contextlib.contextmanager
def _free_ports(count: int) -> Iterator[int]:
    """Yield the first of `count` free ports in a row; until the block is left, nobody else who asks here is given them."""
    for first in PORTS:
        with contextlib.suppress(OSError), socket.socket() as held:
            held.bind(("127.0.0.1", first))
            for port in range(first + 1, first + 1 + count):
                with socket.socket() as tried:
                    tried.bind(("127.0.0.1", port))
            yield first + 1
            return
    raise UnavailableError(f"needs {count} free ports in {PORTS.start}-{PORTS.stop}")


def _holds(file: Path, pid: int) -> bool:
    try:
        return int(file.read_text()) == pid
    except (OSError, ValueError):
        return False


def _last_lines(file: Path) -> str:
    return " ".join(file.read_text(errors="replace").splitlines()[-2:])


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("what", choices=["up", "down", "kill", "start"])
    parser.add_argument("node", nargs="?")
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--cpus", type=int, default=4)
    parser.add_argument("--gpus", type=int, default=2, choices=range(len(DEVICES) + 1))
    default = Path(tempfile.gettempdir(), f"lrtui-slurm-{os.getuid()}")
    parser.add_argument("--folder", type=Path, default=default)
    options = parser.parse_args(words)
    cluster = Cluster(options.folder.resolve())
    if options.what == "up":
        if cluster.folder.exists():
            parser.error(
                f"{cluster.folder} exists: end what runs there with `down`, or name another --folder"
            )
        cluster.folder.mkdir(parents=True)
        cluster.up(options.nodes, options.cpus, options.gpus)
        print(f"export SLURM_CONF={cluster.configuration}")
    elif options.what == "down":
        cluster.down()
        shutil.rmtree(cluster.folder)
    elif options.what == "kill":
        cluster.kill_node(options.node)
    else:
        cluster.start_node(options.node)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
