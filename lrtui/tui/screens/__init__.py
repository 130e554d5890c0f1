"""What lies over the monitor: questions, the field for an LR, the help."""
