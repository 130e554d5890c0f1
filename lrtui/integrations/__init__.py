"""What a training script may import of lrtui besides `emit`, in any environment and in Python 3.8 or newer.

Each worker of an own script finds `PYTHONPATH` at the front of its own, so that `from lrtui import emit` works where lrtui is not installed.
Of lrtui this room imports only `emit`.
"""

import os.path

PYTHONPATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pythonpath")
"""A folder that holds nothing but a package named lrtui."""
