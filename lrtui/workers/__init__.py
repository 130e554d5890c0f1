"""How a process comes to run. To add an engine: one file here and one line in launchers.LAUNCHERS."""
