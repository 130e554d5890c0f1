"""What every front end shares and needs no screen for: monitor, log mode, text mode and report build on it."""
