"""A far end for the launcher: Slurm's commands as functions, and what an agent and a keeper write."""

import json
import re
import threading

from lrtui.sweep.layout import AttemptLayout
from lrtui.workers.slurm.queue import Done

AWAY = Done(
    1,
    "",
    "squeue: error: slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n",
)


class FakeSlurm:
    """Knows the jobs that were submitted, by name; a test changes their states while the launcher's thread asks."""

    def __init__(self) -> None:
        self._busy = threading.Lock()
        self.calls: list[list[str]] = []
        self.states: dict[tuple[str, int], tuple[str, str]] = {}
        self.ids: dict[str, int] = {}
        self.answers: dict[str, list[Done]] = {}
        """What a command says next, instead of doing anything; "sbatch!" after it was done."""
        self.first = "PENDING", "Priority"
        """How a job stands that was just submitted, and why."""
        self.gives = "main", "1:00:00"
        """Partition and time limit of every job."""
        self.renamed = ""
        """What the site calls every job, instead of the name it was given."""
        self.unmarked: set[str] = set()
        """Jobs without a comment."""

    def __call__(self, words, _seconds):
        with self._busy:
            return self._answer(list(words))

    def _answer(self, words):
        self.calls.append(words)
        if self.answers.get(words[0]):
            return self.answers[words[0]].pop(0)
        done = getattr(self, words[0])(words)
        late = self.answers.get(f"{words[0]}!")
        return late.pop(0) if late else done

    def named(self, command):
        return [words for words in self.calls if words[0] == command]

    def sbatch(self, words):
        if "--test-only" in words:
            return Done(0, "", "sbatch: Job 1 to start at 2026-11-29T11:41:10\n")
        name = next(word for word in words if word.startswith("--job-name=")).partition("=")[2]
        array = next(word for word in words if word.startswith("--array="))
        last = int(re.fullmatch(r"--array=0-(\d+)%\d+", array)[1])
        self.ids[name] = 100 + len(self.ids)
        for index in range(last + 1):
            self.states[name, index] = self.first
        return Done(0, f"{self.ids[name]}\n", "")

    def squeue(self, words):
        asked = words[words.index("-j") + 1].split(",") if "-j" in words else None
        form = words[words.index("-o") + 1]
        lines = []
        for (name, index), (state, reason) in self.states.items():
            if asked is None or str(self.ids[name]) in asked:
                values = {
                    "j": self.renamed or name,
                    "k": "" if name in self.unmarked else f"{name} /shared/wave",
                    "F": self.ids[name],
                    "K": index,
                    "T": state,
                    "N": "n0",
                    "P": self.gives[0],
                    "l": self.gives[1],
                    "r": reason,
                }
                lines.append(re.sub(r"%(\w)", lambda m, v=values: str(v[m[1]]), form))
        for name, number in self.ids.items():  # recorded: what is left of tasks that were cancelled
            none_waits = not any(each == name for each, _ in self.states)
            if none_waits and "%K" in form and (asked is None or str(number) in asked):
                lines.append(f"{number}|N/A|CANCELLED||main|1:00:00|Priority|{name} /shared/wave")
        return Done(0, "".join(f"{line}\n" for line in lines), "")

    def scancel(self, words):
        for job in words[1:]:
            number, index = job.split("_")
            name = next(name for name, each in self.ids.items() if each == int(number))
            self.states.pop((name, int(index)), None)
        return Done(0, "", "")

    def scontrol(self, _words):
        return Done(0, "", "")

    def set(self, wave, index, state, reason="None"):
        with self._busy:
            self.states[wave.name, index] = (state, reason)

    def forget(self, wave, index):
        """Do as `scancel` of a task that waits."""
        with self._busy:
            del self.states[wave.name, index]

    def lose(self, wave):
        """Do as a controller that is killed before it has saved what it knows."""
        with self._busy:
            del self.ids[wave.name]
            self.states = {key: state for key, state in self.states.items() if key[0] != wave.name}

    def recover(self):
        """Answer by itself again."""
        with self._busy:
            self.answers.clear()


def begin(wave, task, root, token="t", pid=7):
    """Write what agent and keeper write of an attempt that begins on a node."""
    files = AttemptLayout(root)
    files.claim.write_text("123\n")
    wave.files.beat(task).write_text('{"count": 1}')
    who = {"worker": pid, "keeper": 5, "boot_id": "another", "token": token}
    files.pid.write_text(json.dumps(who))


def end(wave, task, root, *, code=0, signal=None, cause="", place=0):
    """Write what keeper and agent write of an attempt that ends."""
    ending = {"code": code if signal is None else None, "signal": signal, "at": 1.0, "left": 0}
    AttemptLayout(root).exit.write_text(json.dumps(ending))
    wave.files.ended(task, place).write_text(json.dumps({"cause": cause}))
