"""`lrtui doctor`: reports what prevents lrtui or training from working here, and the state of an experiment directory. It changes nothing.

A chapter per area (`machine`, `files`, `prepared_data`, `terminal`, `pytorch`; `directory`); each has a table CHECKS, so a new check is
one function and one line. `visit` runs them and prints. torch is asked in a process of its own (`torch_probe`): this one never
imports it.
"""
