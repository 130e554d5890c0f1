"""Runs that lrtui did not start: found in a tree of logs, followed, ranked by one metric. `reader.WatchReader` is the only public class."""
