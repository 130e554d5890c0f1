"""The command line: `main` parses and dispatches, and each verb has a module."""
