"""Facts that stand in one place: a second implementation is found here, before it can disagree with the first.

Rules about numbers and names of runs: tests/text/test_format.py. Values by `value`: tests/analysis/test_value_rule.py. Chance:
tests/analysis/test_chance.py. Commands: tests/sweep/test_allowed.py. Colours: tests/report/test_palette.py.
"""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

import lrtui

PACKAGE = Path(lrtui.__file__).parent
COMMANDS = "KillRun|RestartRun|PauseRun|ResumeRun|FreezeRun|AddRun|SetParallel|StopSweep|ReopenSweep"  # fmt: skip
FACTS = {
    "the variance of a share of right answers, p (1 - p) / n": (
        r"(?<![\w.])([\w.]+) \* \(1(?:\.0)? - \1\)\)? / \w",
        {"analysis/averages.py": "share_variance"},
    ),
    "the spread of a sample, over n - 1": (
        r"\*\* 2 for .* / \(len\([\w.]+\) - 1\)|statistics.*\bp?(?:stdev|variance)\b",
        {"analysis/averages.py": "standard_error"},
    ),
    "what a guesser among so many classes is at": (
        r"1(?:\.0)? / [\w.]*classes|log\([\w.]*classes\)",
        {"analysis/chance.py": "chance_of, Chance.guessing"},
    ),
    "whether a metric is an accuracy": (
        r"""["']acc["'] (?:not )?in """,
        {"metrics/deciding.py": "is_accuracy"},
    ),
    "what `value = ...` means": (
        r"\bvalue == [\"']best|plan\.value\)",
        {"analysis/value_rule.py": "run_value"},
    ),
    "a command, with the attempt that it means": (
        rf"^(?! *(?:case|class) ).*\b(?:{COMMANDS})\(",
        {
            "frontend/requests.py": "for keys, words, undo and verbs",
            "cli/attach.py": "continues a sweep: the supervisor, which that starts, decides",
        },
    ),
    "the text of an optimizer, a schedule or a model taken apart": (
        r"""startswith\(["']\{""",
        {
            "sweep/choice.py": "choice_of",
            "train/options.py": "the trainer's own (tests/sweep/test_choice.py: it reads the same)",
            "report/figures/saving.py": "names of XML",
        },
    ),
    "the end of a file": (
        r"pread\([^\n]* - |SEEK_END|\.seek\([^)\n]*, *2\)|\.seek\(-",
        {
            "sweep/files.py": "read_end, read_last_lines",
            "emit.py": "knows nothing of lrtui; the last byte of its own file",
            "sweep/journal_writer.py": "what a power cut tore off, which it cuts off",
            "metrics/sources/growing.py": "whether a file that grew is still the same one",
        },
    ),
    "the place of an LR among others, by rank": (
        r"\w+ / max\(1, len\(\w*\) - 1\) for",
        {"frontend/run_colors.py": "spread"},
    ),
}
"""By fact: the pattern of an implementation, and the files that may have one."""


@functools.cache
def sources() -> dict[str, str]:
    return {
        path.relative_to(PACKAGE).as_posix(): path.read_text() for path in PACKAGE.rglob("*.py")
    }


@pytest.mark.parametrize("fact", FACTS)
def test_each_fact_has_one_implementation(fact):
    pattern, places = FACTS[fact]
    found = re.compile(pattern, re.MULTILINE)
    assert {name for name, text in sources().items() if found.search(text)} == set(places)


READ_TWICE = {
    "/proc/meminfo": {"hardware/cpu.py", "train/datasets/custom_data.py"},
}
"""The trainer knows nothing of lrtui but `emit` (tests/train/test_own_data.py: it reads the same)."""


def test_each_file_of_proc_has_one_parser():
    readers: dict[str, set[str]] = {}
    for name, text in sources().items():
        if "/proc/" not in text:
            continue
        for call in ast.walk(ast.parse(text)):
            if isinstance(call, ast.Call):
                for path in map(proc_file, call.args):
                    if path:
                        readers.setdefault(path, set()).add(name)
    assert "/proc/PID/stat" in readers
    assert {path: names for path, names in readers.items() if len(names) > 1} == READ_TWICE


def proc_file(argument: ast.expr) -> str:
    """Return the file of /proc that an argument names, PID for each number; "" if it names none."""
    if isinstance(argument, ast.Constant):
        text = argument.value if isinstance(argument.value, str) else ""
    elif isinstance(argument, ast.JoinedStr):
        text = "".join(
            part.value if isinstance(part, ast.Constant) else "PID" for part in argument.values
        )
    else:
        text = ""
    text = text.replace("/proc/self/", "/proc/PID/")
    return text if re.fullmatch(r"/proc/[\w/]+", text) else ""
