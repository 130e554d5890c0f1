"""Owns the runs of one experiment directory: one process, one thread, a poll loop.

`python -m lrtui.supervisor DIR` is started detached by a client. Read `loop` first.
"""
