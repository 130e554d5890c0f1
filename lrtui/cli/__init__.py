"""The command line: `main` parses and dispatches, one module per verb behind it."""
