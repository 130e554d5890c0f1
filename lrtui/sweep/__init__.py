"""An experiment directory: its events and commands, the fold that turns events into state, and its files."""
