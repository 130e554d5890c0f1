"""A `parse` pattern that would take exponential time is refused by the file's check, and matches nothing in the readers."""

import pytest

from lrtui.config import parse
from lrtui.errors import ExperimentError
from lrtui.metrics import MetricLog, Reading
from lrtui.text.clean import runaway

RUNAWAYS = [
    r"(a+)+$",
    r"(a*)*b",
    r"(a|aa)+$",
    r"(?:\w+\s*)+:",
    r"((a?){30}){9}",
    r"(?=(x+)+y)",
    r"(.*?,)+z",
]
GOOD = [
    r"step (?P<step>\d+): loss (?P<train_loss>\S+), acc (?P<val_acc>\S+)",
    r"epoch (?P<epoch>\d+).*loss=(?P<train_loss>\S+) acc=(?P<val_acc>\S+)",
    r"(?:train|valid) (?P<step>\d+)(?: loss (?P<train_loss>[\d.]+))?",
    r"(?>a+)+$",
    r"(?:ab)+ (?P<step>\d+)",
]


@pytest.mark.parametrize("pattern", RUNAWAYS)
def test_a_runaway_is_known_and_refused(pattern):
    assert runaway(pattern)
    text = f"command = ['x']\nsteps = 3\nlr = [1e-3]\nmetric = 'max val_acc'\nparse = '(?P<step>a)(?P<val_acc>b){pattern}'\n"
    with pytest.raises(ExperimentError, match="parse repeats a group"):
        parse(text, "x.toml")


@pytest.mark.parametrize("pattern", GOOD)
def test_usual_patterns_are_none(pattern):
    assert not runaway(pattern)


@pytest.mark.parametrize("pattern", [r"(?P<step>a+)+$", r"(?P<step>\d+).*x.*y"])
def test_a_viewer_of_a_copied_directory_is_not_held_up(tmp_path, pattern):
    (tmp_path / "output.log").write_bytes(b"a" * 50_000 + b"!\n1 " + b"x" * 60_000 + b"\n")
    assert MetricLog(tmp_path, Reading("step", pattern)).poll() == []
