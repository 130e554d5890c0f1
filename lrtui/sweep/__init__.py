"""An experiment directory: events and commands, the fold, and the files that hold them."""
