"""How processes are started. To add an engine: one file here and one line in launchers.LAUNCHERS."""
