"""lrtui finds the learning rate: one command, N learning rates, steered live in the terminal.

A training script needs one name from here: ``from lrtui import emit``.
"""

from lrtui.emit import emit

__version__ = "0.1.0"

__all__ = ["__version__", "emit"]
