"""On PYTHONPATH: matplotlib is not installed. Importing it takes two thirds of the time of a report, of which most tests read nothing."""

raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")
