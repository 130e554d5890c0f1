"""`lrtui doctor`: what this machine offers, and the state of an experiment directory, with a remedy for what is amiss.

A chapter per area (`machine`, `files`, `data`, `terminal`, `pytorch`, `directory` with `tree` and `attempts`); each has a table
CHECKS, so a new check is one function and one line. `visit` runs them and prints. torch is asked in a process of its own
(`torch_probe`): this one never imports it.
"""
