"""A lab whose runs are jobs of the simulated cluster, with Slurm's commands behind scripts that count calls and inject faults."""

import json
import shlex
import shutil
from collections import Counter
from pathlib import Path

import pytest

from lrtui.sweep.layout import Layout
from tests.conftest import SHORT
from tests.faults.oracle import acknowledged, sound
from tests.slurm.cluster import Cluster
from tests.supervisor.lab import Lab
from tests.until import until

COMMANDS = ("sbatch", "squeue", "scancel", "scontrol")
TIMING = f"{SHORT},far_look=0.2,queue=0.5,late=8"
"""`late` is longer than the 5 s between two beats of a job."""


class Far:
    """One experiment whose runs are jobs."""

    def __init__(self, lab: Lab, slurm: Cluster) -> None:
        self.lab = lab
        self.slurm = slurm
        self.bin = lab.folder / "bin"
        self.bin.mkdir()
        for command in COMMANDS:
            script = self.bin / command
            script.write_text(_script(self.bin, command))
            script.chmod(0o755)

    def start(self, *, launcher: str = "", parallel: int = 2, **kw) -> "Far":
        """Start a sweep whose [launcher] has these further lines; the rest is a Lab's."""
        extra = kw.pop("extra", "")
        file = self.lab.toml(extra=f'{extra}\n[launcher]\nkind = "slurm"\n{launcher}', **kw)
        file.write_text(file.read_text().replace("parallel = 2", f"parallel = {parallel}"))
        self.lab.open(file)
        return self

    def fault(self, command: str, script: str, *, once: bool = False) -> None:
        """Let a shell script run before one of Slurm's commands; where it exits, the command does not run. A trial with --test-only passes."""
        whole = self.bin / f"{command}.new"
        trial = 'case " $* " in *" --test-only "*) return;; esac\n'
        whole.write_text(trial + (f"rm {self.bin}/{command}.fault\n" if once else "") + script)
        whole.rename(self.bin / f"{command}.fault")

    def recover(self, command: str) -> None:
        (self.bin / f"{command}.fault").unlink()

    def calls(self, command: str) -> list[str]:
        """Return the arguments of each call of one of Slurm's commands."""
        file = self.bin / f"{command}.calls"
        return file.read_text().splitlines() if file.exists() else []

    def occupy(self, *options: str) -> str:
        """Submit a job of somebody else's that takes all nodes; return its id."""
        words = ("--exclusive", "--nodes=2", "--chdir=/tmp", "--output=/dev/null", *options)
        return self.slurm.run("sbatch", "--parsable", *words, "--wrap=sleep 600")

    def submissions(self) -> list[str]:
        """Return the arguments of each call of sbatch that submits."""
        return [words for words in self.calls("sbatch") if "--test-only" not in words]

    def jobs(self, *states: str) -> list[str]:
        """Return the ids of the sweep's tasks, as 12_0, that are in these states (of all: none given)."""
        words = [
            *("squeue", "--noheader", "--array", "--format=%j|%F_%K"),
            f"--states={','.join(states) or 'all'}",
        ]
        lines = [line.split("|") for line in self.slurm.run(*words).splitlines()]
        names = {each["name"] for each in self.waves()}
        return [job for name, job in lines if name in names]

    def waves(self) -> list[dict]:
        folder = self.lab.directory / "slurm"
        intents = sorted(folder.glob("w*/intent.json"), key=lambda path: int(path.parent.name[1:]))
        return [json.loads(intent.read_text()) for intent in intents]

    def job(self, run: str = "r01") -> str:
        """Return the id of the task of a run's latest attempt, once Slurm has accepted it."""

        def found() -> str | None:
            known = self.lab.run(run)
            if known is None or not known.attempts:
                return None
            here = f"{known.folder}/a{known.attempts[-1].number}"
            for number, wave in enumerate(self.waves(), 1):
                for task, folders in enumerate(wave["tasks"]):
                    accepted = self.lab.directory / f"slurm/w{number}/job.json"
                    if here in folders and accepted.exists():
                        return f"{json.loads(accepted.read_text())['id']}_{task}"
            return None

        return until(found)

    def sound(self, *, kinds: tuple[str, ...] = ("finished",), apart: bool = True) -> None:
        """Fail unless nothing was lost or doubled; without `apart` two attempts of a run may have lived at once."""
        if not apart:
            for file in self.lab.oracle.glob("*.doubled"):
                file.unlink()
        sound(self.lab, kinds=kinds)
        written = lines(self.lab)
        assert max(written.values(), default=1) == 1, written
        assert set(written) - acknowledged(self.lab) <= last_lines(written)


def lines(lab: Lab) -> Counter[tuple[str, int]]:
    """Return how often each line was written: (beginning of the attempt's token, step)."""
    found: Counter[tuple[str, int]] = Counter()
    for run in lab.sweep.runs.values():
        for attempt in run.attempts:
            file = Layout(lab.directory).attempt(run.folder, attempt.number) / "metrics.jsonl"
            text = file.read_text() if file.exists() else ""
            found.update(
                (attempt.token[:6], json.loads(line)["step"]) for line in text.splitlines()
            )
    return found


def last_lines(written: Counter[tuple[str, int]]) -> set[tuple[str, int]]:
    """Return each attempt's last line: a worker that is killed may have written it and not told the oracle."""
    last: dict[str, int] = {}
    for token, step in written:
        last[token] = max(step, last.get(token, 0))
    return set(last.items())


def _script(folder: Path, command: str) -> str:
    real, here = shlex.quote(str(shutil.which(command))), shlex.quote(str(folder))
    return f"""#!/bin/bash
echo "$*" >> {here}/{command}.calls
real={real}
[ -e {here}/{command}.fault ] && . {here}/{command}.fault
exec {real} "$@"
"""


@pytest.fixture
def far(lab, slurm, monkeypatch):
    """Return a lab whose runs are jobs; its queue is asked every half second."""
    made = Far(lab, slurm)
    monkeypatch.setenv("PATH", str(made.bin), prepend=":")
    monkeypatch.setenv("LRTUI_TIMING", TIMING)
    return made
