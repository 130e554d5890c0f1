"""Dialogs over the monitor: questions, the text field, the list, the help."""
