"""Reads and checks the experiment file and turns it into runs. Every message about the file is made here.

`load` reads a file and `parse` a text; both return an Experiment or raise all its faults at once. `argv` and
`environment` return what one attempt is given, `describe` what `lrtui check` prints. The chapters: `reader` (TOML and
faults with places), `check` (the table of contents), `keys`, `rates` (the forms of `lr`), `named` (optimizers and the
like), `objective`, `settings`, `placeholders`, `override`. Imports neither torch nor numpy.
"""

from lrtui.config.describe import describe, planned, same_experiment
from lrtui.config.experiment import Experiment, Objective
from lrtui.config.file import load
from lrtui.config.override import override
from lrtui.config.validation import parse
from lrtui.config.worker_command import (
    argv,
    environment,
    own_environment,
    own_files,
    own_patterns,
    program,
)

__all__ = [
    "Experiment",
    "Objective",
    "argv",
    "describe",
    "environment",
    "load",
    "override",
    "own_environment",
    "own_files",
    "own_patterns",
    "parse",
    "planned",
    "program",
    "same_experiment",
]
