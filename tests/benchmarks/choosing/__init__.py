"""Which search finds a good learning rate, and what does it spend? `python -m tests.benchmarks.choosing`.

The truth is measured once, by real training, and stored: `python -m tests.benchmarks.choosing.measure` trains every LR of a
dense grid with three seeds and writes `tests/benchmarks/curves/NAME.json`. Every method is then replayed on these tables: a
replayed run costs nothing, so each method is repeated with many seeds, and all of them meet the very same runs.

    workloads.py    what is trained; Table, a measured workload
    measure.py      trains it and writes the table
    ours.py         lrtui's own strategies on a table
    peers.py        everybody else's
    predictions.py  what a study predicts, on the bank's studies
    __main__.py     the comparison
"""
