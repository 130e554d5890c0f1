"""The lab: a folder with one experiment, for every test that needs real processes."""

import signal

from tests.supervisor.lab import lab

__all__ = ["lab"]

# In a shell's background Ctrl-C is ignored, and children would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
