"""The experiment file: read, checked, and turned into what is run. Every message about it is made here.

`load` reads a file and `parse` a text; both return an Experiment or raise all its faults at once. `argv` and
`environment` say what one attempt is given, `describe` what `lrtui check` prints. The chapters: `reader` (TOML and
faults with places), `check` (the table of contents), `keys`, `rates` (the forms of `lr`), `named` (optimizers and the
like), `objective`, `settings`, `placeholders`, `override`. Imports neither torch nor numpy.
"""

from lrtui.experiment.check import parse
from lrtui.experiment.describe import describe, planned, same_experiment
from lrtui.experiment.file import load
from lrtui.experiment.override import override
from lrtui.experiment.running import argv, environment
from lrtui.experiment.types import Experiment, Named, Objective

__all__ = [
    "Experiment",
    "Named",
    "Objective",
    "argv",
    "describe",
    "environment",
    "load",
    "override",
    "parse",
    "planned",
    "same_experiment",
]
