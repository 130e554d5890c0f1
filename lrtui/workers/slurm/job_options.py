"""The options of a Slurm job from [launcher], and the sbatch command that follows from them: pure functions."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lrtui.text.clean import clean
from lrtui.text.format import duration

LEAD_SECONDS = 120
"""Seconds before its time limit at which a job is warned; Slurm may be up to 60 s early."""
_BEGIN = "import os, sys; sys.path += sys.argv[2:]; import agent; os._exit(agent.main(sys.argv[1]))"
"""Python's own end costs a job 4 ms of CPU."""
MOST_TASKS = 1000
"""The maximum number of tasks of one array; Slurm's default MaxArraySize is 1001."""
_PLAIN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)s)?")
_SLURMS = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")
_UNSAFE = re.compile(r"[^A-Za-z0-9._+=@-]+")
_PREFIX = re.compile(
    r"^(?:\w+: )?(?:error: |fatal: )?(?:Batch job submission failed: |allocation failure: )?"
)
_PASSING = re.compile(
    r"timed? ?out|unable to contact|connection refused|temporarily|zero bytes|transport endpoint|not responding"
    r"|submit limit|submitjob|job count|max_?job|try again|slurmctld|unexpected message|rate limit exceeded",
    re.IGNORECASE,
)
"""Texts of temporary refusals: the controller is away, or the user has too many jobs or asks too often (23.02)."""
_CLOSED = re.compile(r"partition not available|submissions disabled", re.IGNORECASE)
"""Texts of refusals of a partition or a cluster that the site has closed for a while."""
_UNMET = re.compile(r"node configuration is not available")


@dataclass(frozen=True, slots=True)
class Options:
    """The keys of [launcher] for `kind = "slurm"`."""

    partition: str = ""
    account: str = ""
    time: str = ""
    gres: str = ""
    cpus: int = 1
    pack: int = 1
    """The number of runs that share a job."""
    at_most: int = MOST_TASKS
    """The number of runs at once in all."""
    setup: tuple[str, ...] = ()
    """Lines of shell before the keeper starts."""
    extra: tuple[str, ...] = ()

    @property
    def seconds(self) -> int | None:
        """The time limit; None for the partition's own."""
        return seconds_of(self.time) if self.time else None

    @property
    def gpus(self) -> int:
        """The number of GPUs that a job requests by `gres`."""
        found = re.fullmatch(r"gpu(?::[^:,]+)??(?::(\d+))?", self.gres)
        return int(found[1] or 1) if found else 0


def options_of(settings: Mapping[str, Any]) -> Options:
    """Return the options that a checked [launcher] section names."""
    setup = settings.get("setup", ())
    return Options(
        partition=str(settings.get("partition", "")),
        account=str(settings.get("account", "")),
        time=str(settings.get("time", "")),
        gres=str(settings.get("gres", "")),
        cpus=int(settings.get("cpus", 1)),
        pack=int(settings.get("pack", 1)),
        at_most=int(settings.get("at_most", MOST_TASKS)),
        setup=(setup,) if isinstance(setup, str) else tuple(setup),
        extra=tuple(settings.get("extra", ())),
    )


def seconds_of(text: str) -> int | None:
    """Return a time limit in seconds: "4h", "1d12h", "90m", or Slurm's own "4:00:00", "1-12", "90" (minutes); None for anything else."""
    plain = _PLAIN.fullmatch(text)
    if text and plain:
        parts = [int(each or 0) for each in plain.groups()]
        return ((parts[0] * 24 + parts[1]) * 60 + parts[2]) * 60 + parts[3] or None
    own = _SLURMS.fullmatch(text)
    if own is None:
        return None
    days, *rest = own.groups()
    first, second, third = (int(each or 0) for each in rest)
    if days is not None:  # days-hours[:minutes[:seconds]]
        return ((int(days) * 24 + first) * 60 + second) * 60 + third or None
    if rest[2] is not None:  # hours:minutes:seconds
        return (first * 60 + second) * 60 + third or None
    return first * 60 + second or None  # minutes[:seconds]


def time_text(seconds: int) -> str:
    """Return a time limit as Slurm reads it: 1-12:00:00."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}-{hours:02}:{minutes:02}:{rest:02}"


def lead(seconds: int) -> int:
    """Return the seconds before its time limit at which a job is warned: two minutes, or a quarter of a short limit."""
    return min(LEAD_SECONDS, seconds // 4)


def job_name(directory: str, wave: int, token: str) -> str:
    """Return the name of a wave's job: lrtui-digits-w3-1f2e3d4c. It has no character that needs quoting."""
    return f"lrtui-{_UNSAFE.sub('-', directory)[:64]}-w{wave}-{token}"


def resource_words(options: Options) -> list[str]:
    """Return the options of sbatch for the resources of a job."""
    seconds = options.seconds
    words = [
        *([f"--partition={options.partition}"] if options.partition else []),
        *([f"--account={options.account}"] if options.account else []),
        *([f"--time={time_text(seconds)}"] if seconds else []),
        *([f"--gres={options.gres}"] if options.gres else []),
        "--ntasks=1",
        f"--cpus-per-task={options.cpus}",
    ]
    return [*words, *options.extra]


def partitions(options: Options) -> list[str]:
    """Return the partitions that a job names, any of which may run it; [] for the site's own choice."""
    words = resource_words(options)
    named = [word.partition("=")[2] for word in words if word.startswith("--partition=")]
    named += [word[2:] for word in words if word[:2] == "-p"]
    return [each for each in named[-1].split(",") if each] if named else []


def sbatch_words(options: Options, name: str, tasks: int, throttle: int, wave: Path) -> list[str]:
    """Return the command that submits a wave of `tasks` tasks, of which `throttle` may run at once."""
    seconds = options.seconds
    return [
        "sbatch",
        "--parsable",
        f"--job-name={name}",
        f"--array=0-{tasks - 1}%{min(tasks, throttle)}",
        "--no-requeue",
        "--open-mode=append",
        f"--signal=B:USR2@{lead(seconds) if seconds else LEAD_SECONDS}",
        f"--comment={name} {wave}",
        f"--output={str(wave).replace('%', '%%')}/%a.log",
        "--chdir=/",
        *resource_words(options),
        str(wave / "job.sh"),
    ]


def supervisor_words(settings: Mapping[str, Any], name: str, folder: Path, wrap: str) -> list[str]:
    """Return the command that submits the supervisor as a job; Slurm runs one job of a name at a time."""
    return [
        "sbatch",
        "--parsable",
        f"--job-name={name}",
        "--dependency=singleton",
        "--no-requeue",
        "--open-mode=append",
        f"--signal=B:USR2@{LEAD_SECONDS}",
        f"--output={str(folder).replace('%', '%%')}/supervisor.out",
        "--chdir=/",
        "--ntasks=1",
        "--cpus-per-task=1",
        *settings.get("supervisor_extra", ()),
        f"--wrap={wrap}",
    ]


def shown(options: Options, directory: str, runs: int) -> str:
    """Return the command line that `lrtui check` prints."""
    tasks = min(MOST_TASKS, -(-runs // options.pack))
    throttle = max(1, options.at_most // options.pack)
    wave = Path("DIR/slurm/w1")
    words = sbatch_words(options, f"lrtui-{directory}-w1", tasks, throttle, wave)
    return shlex.join(words)


def agent_words(python: str, agent: Path, wave: Path) -> list[str]:
    """Return the command that starts the agent of a wave's task: imported as a module, so that it is compiled once and not in each job."""
    folders = [str(agent.parent), str(agent.parent.parent)]  # the standard library comes first
    return [python, "-I", "-S", "-c", _BEGIN, str(wave), *folders]


def script(options: Options, python: str, agent: Path, wave: Path) -> str:
    """Return the script of a wave's tasks. On a node without the interpreter it writes a sentence to TASK.trouble in the wave's folder."""
    said, program = shlex.quote(str(wave)), shlex.quote(python)
    return "\n".join(
        [
            "#!/bin/bash",
            *options.setup,
            f"if ! [ -x {program} ]; then",
            f'  echo "the node $(hostname) has no {program}; lrtui must be installed on the shared file system" > {said}/$SLURM_ARRAY_TASK_ID.trouble',
            "  exit 127",
            "fi",
            f"exec {shlex.join(agent_words(python, agent, wave))}",
            "",
        ]
    )


def is_passing(said: str) -> bool:
    """Return whether sbatch's message is about a temporary failure, so that the submission is retried."""
    return not said or bool(_PASSING.search(said))


def is_closed(said: str) -> bool:
    """Tell whether Slurm takes no such job until the site opens the partition or the cluster again, so that the runs wait."""
    return bool(_CLOSED.search(said))


def refusal(said: str, options: Options) -> str:
    """Return in one sentence why Slurm refuses a job."""
    words = said.lower()
    if is_unmet(said):
        return f"Slurm refuses the job: no node has what [launcher] asks for ({asked(options)}): {_own_words(said)}"
    for sign, key, value in (
        ("invalid partition", "partition", options.partition),
        ("partition not available", "partition", options.partition),
        ("invalid account", "account", options.account),
        ("time limit", "time", options.time),
        ("gres", "gres", options.gres),
        ("generic resource", "gres", options.gres),
    ):
        if sign in words:
            given = f'{key} = "{value}"' if value else f"a job without {key}"
            return f"Slurm refuses {given} of [launcher]: {_own_words(said)}"
    return f"Slurm refuses the job: {_own_words(said)}"


def is_unmet(said: str) -> bool:
    """Return whether no node can run the job; a trial (--test-only) says this also of a job that waits until nodes are back."""
    return bool(_UNMET.search(said))


def asked(options: Options) -> str:
    """Return what a job requests of its node, in the words of [launcher]."""
    gres = f'gres = "{options.gres}"' if options.gres else ""
    return ", ".join(filter(None, (gres, f"cpus = {options.cpus}", *options.extra)))


def supervisor_refusal(said: str) -> str:
    """Return in one sentence why Slurm refuses the supervisor's own job."""
    return f"Slurm refuses the supervisor's job: {_own_words(said)}"


def rewritten(options: Options, partition: str, seconds: int | None) -> str:
    """Return in words which requested options the site changed; "" if none."""
    wanted = options.seconds
    changed = []
    if wanted is not None and seconds != -(-wanted // 60) * 60:  # Slurm counts in minutes
        limit = f"a time limit of {duration(seconds)}" if seconds else "no time limit"
        changed.append(f'{limit} instead of time = "{options.time}"')
    if options.partition and partition not in (options.partition, *options.partition.split(",")):
        changed.append(f'partition {partition} instead of partition = "{options.partition}"')
    return " and ".join(changed)


def _own_words(said: str) -> str:
    """Return sbatch's message without its name: its last line, then the message of the site's own filter."""
    lines = [_PREFIX.sub("", line.strip()) for line in said.splitlines() if line[:4] != "Try "]
    last, *others = reversed([line for line in lines if line] or ["sbatch said nothing"])
    others = [each for each in others if each[:7].lower() != last[:7].lower()]
    return clean(f"{last} ({'; '.join(reversed(others))})" if others else last, 300)


def throttles(waiting: Sequence[tuple[int, int]], most: int) -> dict[int, int]:
    """Return how many tasks of each wave may run at once, the oldest first; `waiting` holds (wave, number of its unfinished tasks).

    Slurm takes 0 as no limit, so each wave keeps at least one.
    """
    shares = {}
    for wave, tasks in sorted(waiting):
        shares[wave] = max(1, min(tasks, most))
        most = max(0, most - tasks)
    return shares
