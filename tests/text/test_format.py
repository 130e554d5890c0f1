"""Quantities read the same wherever they are said, and are formatted in one place."""

from __future__ import annotations

import ast
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrtui
from lrtui.text import format as fmt


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.6412, "0.6412"), (0.98, "0.9800"), (-0.5, "-0.5000"), (1.2345, "1.234"), (2, "2.000"), (97.8, "97.80"), (999.6, "1000"), (1234.6, "1235"), (9999.7, "10000"),
     (3.1e-5, "3.10e-05"), (123456, "1.23e+05"), (0, "0"), (-0.0, "0"), (math.nan, "nan"), (-math.inf, "-inf"), (None, "-")],
)  # fmt: skip
def test_a_measured_value(value, text):
    assert fmt.number(value) == text


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_measured_value_fits_its_column(value):
    """At most 9 characters (10 with an exponent of three digits), and a leading zero."""
    text = fmt.number(value)
    assert len(text) <= 10
    assert not text.lstrip("-").startswith(".")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.25, "0.25s"), (9.5, "9.5s"), (9.99, "9s"), (59.9, "59s"), (300, "5m"), (425, "7m05s"), (3600, "1h"), (12000, "3h20m"),
     (86400, "1d"), (187200, "2d4h"), (1e300, "11574d1h"), (-425, "-7m05s"), (math.nan, "nan"), (math.inf, "11574d1h")],
)  # fmt: skip
def test_a_length_of_time_has_two_units_at_most(seconds, text):
    assert fmt.duration(seconds) == text


@pytest.mark.parametrize(
    ("unit", "text"), [("epoch", "epochs"), ("step", "steps"), ("tokens", "tokens")]
)
def test_units_have_their_plural(unit, text):
    assert fmt.plural(unit) == text


@pytest.mark.parametrize(
    ("length", "exact", "about", "short", "grouped"),
    [(27, "27", "27", "27", "27"), (2.5, "2.5", "2.5", "2.5", "2.5"), (20_000, "20000", "20000", "20k", "20,000"), (13.66667, "13.66667", "13.67", "13.67", "13.66667")],
)  # fmt: skip
def test_a_length_of_training(length, exact, about, short, grouped):
    said = fmt.amount(length), fmt.amount_about(length), fmt.amount_short(length)
    assert (*said, fmt.amount_grouped(length)) == (exact, about, short, grouped)


@given(st.floats(1e-12, 1e3))
def test_a_trained_lr_is_read_back_exactly(lr):
    assert float(fmt.lr_text(lr)) == lr


def test_learning_rates_and_memory():
    assert (fmt.lr_text(3e-4), fmt.lr_text(6.25e-3)) == ("3e-04", "6.25e-03")
    assert (fmt.lr_rounded(1.83e-3), fmt.lr_rounded(None)) == ("1.8e-03", "-")
    assert fmt.lr_range(1e-3, 3.2e-3) == "1.0e-03..3.2e-03"
    assert (fmt.size(512), fmt.size(1.5 * 2**30)) == ("512 B", "1.5 GiB")
    assert (fmt.gib(11500), fmt.gib(144000)) == ("11.2", "141")


# ---------------------------------------------------------------- one place

OWN = {
    "text/format.py": "the place itself",
    "analysis/verdict/pasting.py": "lines of an experiment file",
    "config/describe.py": "the share of the data, as the file has it",
    "config/proposal/command.py": "writes a number of a script's source as a file has it",
    "config/proposal/draft.py": "rounds the LRs that it proposes",
    "config/small_keys.py": "a key as the plan has it",
    "config/study_section.py": "rounds a length that it proposes",
    "config/validation.py": "the share of the data, as the file has it",
    "frontend/trial_report.py": "whole numbers as a script prints them",
    "metrics/capture/positions.py": "a horizon as the file has it",
    "report/figures/axes_and_panels.py": "ticks again",
    "supervisor/auto_parallel.py": "a gain between 1 and 2",
    "supervisor/preparation.py": "a factor of ten or more",
    "tui/__init__.py": "the speed of a replay",
    "tui/charts/axes.py": "ticks have the digits that their step needs",
    "tui/panels/hardware.py": "percent",
    "tui/panels/readout.py": "the epoch below the cursor",
    "tui/panels/tab_row.py": "the weight of the smoothing",
    "tui/screen_export.py": "coordinates of a drawing, and the weight of the smoothing",
}
"""The files that write numbers themselves, and which."""
OUTSIDE = ("cli/doctor/", "export/", "integrations/", "train/", "workers/")
"""What the machine has, other tools' formats, and what knows nothing of lrtui."""


def test_no_module_formats_values_by_itself():
    """Digits, exponents (`:.4f`, `:.4g`, `:.1e`, `:g`), times and sizes (`:.0f} s`) are formatted in text/format.py only."""
    root = Path(lrtui.__file__).parent
    found = set()
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if name.startswith(OUTSIDE):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            spec = node.format_spec if isinstance(node, ast.FormattedValue) else None
            if spec is not None and re.search(r"(\.\d+[efg]|(?<!\w)g)\W*$", ast.unparse(spec)):
                found.add(name)
        if re.search(r"\{[^{}]*:[.,\d]*[fg]?\} (s|ms|[KMG]i?B)\b", path.read_text()):
            found.add(name)
    assert found - set(OWN) == set(), (
        "there is a function for each quantity in lrtui/text/format.py"
    )
    assert set(OWN) - found - {"text/format.py"} == set(), "no longer needed in OWN"


def test_a_run_has_one_name_everywhere():
    """No module puts a run's letter or ID and its LR together by itself."""
    assert fmt.run_name("C", 3e-4) == "C 3e-04"
    own = re.compile(r"""(letter|id|run|name|run["']\])\}[ (]+\{lr_text\(""")
    root = Path(lrtui.__file__).parent
    found = [file.name for file in root.rglob("*.py") if own.search(file.read_text())]
    assert found == ["format.py"]
