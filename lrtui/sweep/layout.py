"""The names of the files in an experiment directory, and who writes each.

Supervisor, launcher, front ends and report use this module, so each name is defined once. Only `lrtui.workers.keeper` repeats the
names of an attempt's files, because it imports nothing of lrtui.
"""

from __future__ import annotations

from pathlib import Path

from lrtui.sweep.files import read_untrusted
from lrtui.text.clean import clean

FORMAT = "2"
"""The format that this lrtui's supervisor writes."""
READABLE = frozenset({"1", FORMAT})
"""The formats that this lrtui opens; a supervisor brings a directory to FORMAT."""
UPDATE = "update lrtui, or use the one that made it"
"""What helps with a directory of a newer one."""


class Layout:
    """The paths in one experiment directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.format = root / "format"
        """The format's number; written when the directory is created."""
        self.experiment = root / "experiment.toml"
        """Frozen copy of the experiment file; runs use this."""
        self.templates = root / "templates"
        """Frozen copies of the files that [files] names."""
        self.origin = root / "origin.json"
        """Where the experiment came from: its path, the folder it was started in, the interpreter."""
        self.journal = root / "journal.jsonl"
        """Events; writer: supervisor."""
        self.owner = root / "owner.json"
        """Identity of the supervisor: information only, never trusted."""
        self.beat = root / "beat"
        """Its mtime is touched every 2 s while a supervisor lives."""
        self.inbox = root / "inbox"
        """Commands; writers: clients, one file each, renamed into place."""
        self.done = root / "done"
        """Answers; writer: supervisor."""
        self.log = root / "supervisor.log"
        """The supervisor's log."""
        self.report_md = root / "report.md"
        self.report_json = root / "report.json"
        self.report_html = root / "report.html"
        self.report_csv = root / "report.csv"
        self.curves_csv = root / "curves.csv"
        self.lease = root / "lease"
        """Which host owns the sweep of a cluster; writers: supervisors, a file each."""
        self.slurm = root / "slurm"
        """What was submitted to Slurm, a folder for each wave; writers: supervisor, and the agents of its jobs."""

    def chart(self, name: str, kind: str) -> Path:
        """Return the file of one of the report's charts: sensitivity.svg."""
        return self.root / f"{name}.{kind}"

    def attempt(self, folder: str, number: int) -> Path:
        """Return the directory of one attempt of the run in `folder`."""
        return self.root / folder / f"a{number}"


class _Below:
    """A file below a layout's root. Its path is computed on access: storing all paths of a thousand attempts took 3 MB more."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, layout: AttemptLayout | SlurmLayout, owner: object) -> Path:
        return layout.root / self._name


class AttemptLayout:
    """The paths in the directory of one attempt."""

    __slots__ = ("root",)

    argv = _Below("argv.json")
    """What was started and where; writer: supervisor."""
    claim = _Below("claim")
    """Created with O_EXCL by the keeper: a launch may be repeated, a start may not."""
    pid = _Below("pid.json")
    """The attempt's processes; writer: keeper."""
    exit = _Below("exit.json")
    """How the worker ended; writer: keeper."""
    metrics = _Below("metrics.jsonl")
    """Metric lines; writer: the worker, through emit()."""
    output = _Below("output.log")
    """stdout and stderr of the worker, holes where it was capped."""
    printed = _Below("printed.jsonl")
    """Metric lines saved from the part of output.log that was capped; writer: keeper."""
    read_spec = _Below("read.json")
    """Which files the worker's loggers write; writer: keeper."""
    read = _Below("read.jsonl")
    """What was read from them; writer: the converter beside the worker."""
    checkpoint = _Below("checkpoint")
    """The checkpoint, a file or a folder; writer: the worker."""
    prepared = _Below("prepared.json")
    """The result of a data preparation; writer: the worker."""
    environment = _Below("environment.json")
    """In a Slurm job: the worker's environment and token; writer: supervisor."""
    orders = _Below("orders")
    """In a Slurm job: signals for the worker, a name a line; writer: supervisor."""

    def __init__(self, root: Path) -> None:
        self.root = root


class SlurmLayout:
    """The paths in the folder of one wave, a submission to Slurm. `lrtui.workers.slurm.agent` repeats these names itself."""

    __slots__ = ("root",)

    intent = _Below("intent.json")
    """The submission and its name; written before sbatch is called. Writer: supervisor."""
    script = _Below("job.sh")
    job = _Below("job.json")
    """Exists once Slurm has accepted it; writer: supervisor."""
    refused = _Below("refused.json")
    """Exists once Slurm has refused it; writer: supervisor."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def log(self, task: int) -> Path:
        """Return the file with the output of a task itself: its `setup`, and the agent."""
        return self.root / f"{task}.log"

    def trouble(self, task: int) -> Path:
        """Return the file that says why a task could not start an agent; writer: the job's script."""
        return self.root / f"{task}.trouble"

    def beat(self, task: int) -> Path:
        """Return the file that exists once a task has begun, and changes while it lives; writer: agent."""
        return self.root / f"{task}.beat"

    def ended(self, task: int, member: int) -> Path:
        """Return the file that exists once an attempt of a task has ended; writer: agent."""
        return self.root / f"{task}.{member}.ended"


def newer_format(layout: Layout) -> str:
    """Return in words why a directory is of a lrtui that is newer than this one; "" if it is not."""
    found = read_untrusted(layout.format).decode(errors="replace").strip()
    if found in {"", *READABLE}:
        return ""
    return f"it has format {clean(found, 20)!r}, of a newer lrtui; this one reads 1 to {FORMAT}"
