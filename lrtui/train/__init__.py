"""The built-in trainer: a command like a user's own script, started as `python -m lrtui.train`.

It reads arrays that `python -m lrtui.train.prepare` wrote once, trains one model at one learning rate, appends metric lines through
`lrtui.emit` and keeps a checkpoint from which it resumes bit-identically. Of lrtui it imports only `emit`, and it is the only part
of lrtui that imports torch.

    options.py      the command line, read without torch
    table.py        what an entry of the tables below looks like
    datasets/ models/ optimizers/ schedules/     name -> where it is, which options it takes; import nothing
    prepare.py store.py     the data, once per machine: load, split, write; the format of the folder
    data.py         arrays -> batches
    convolution.py  small convolutions on the CPU, as products of matrices
    stepping.py     one optimizer step; on CUDA as one graph
    loop.py         the training: lines, evaluations, checkpoints
    multiplex/      several runs in one process, in turns, each bit-equal to a run in its own process:
        runs, server (that process in a sweep), client (the worker of each of its runs)
    stop.py faults.py    how a training is asked to end, and what its end means
    precision.py    fp32 or bf16, whichever is faster here: `precision = "auto"`
    range_test.py   instead of it: the LR raised step by step until the loss turns
    checkpoint.py   what is kept, and how it is read back
"""

IMPORTS = (
    "lrtui.train.loop",
    "lrtui.train.range_test",
    "lrtui.train.multiplex.runs",
    "torch._dynamo",
)
"""What `lrtui.workers.forkserver` imports, so that workers are forked and need not: all of torch that a training uses.

Every optimizer of torch imports `torch._dynamo` when it is constructed.
"""
HOST = "lrtui.train.multiplex.server"
"""The module that trains several runs in one process."""
ABANDONED = 75
"""Exit code of a worker whose server ended (EX_TEMPFAIL of sysexits.h: it can be retried)."""
