"""Several runs trained in one process: the runs, the server that trains them, the client in each worker."""
