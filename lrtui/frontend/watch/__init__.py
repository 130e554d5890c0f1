"""Runs that lrtui did not start: found in a tree of logs, followed, ordered by one metric. `reader.WatchReader` is all that others use."""
