"""The launcher for a Slurm cluster whose nodes share a file system with this machine; imported only where an experiment names it."""
