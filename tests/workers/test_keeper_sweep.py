"""A keeper searches /proc for what its worker left only if that can have left anything."""

import subprocess
import sys

import pytest

_KEEPER = """
import os, sys, time
from lrtui.workers import keeper

keeper._adopt_orphans()
worker = os.fork()
if worker == 0:
    if sys.argv[1] == "leaves" and os.fork() == 0:
        os.close(1)
        time.sleep(600)
    os._exit(0)
os.waitpid(worker, 0)
searches = []
keeper.bearers = lambda token: searches.append(token) or []
print(keeper._sweep("token", keeper._Converter({}, "", -1)), bool(searches))
"""


@pytest.mark.parametrize(("leaves", "said"), [("leaves", "0 True"), ("nothing", "0 False")])
def test_only_what_left_something_is_searched_for(leaves, said):
    words = [sys.executable, "-c", _KEEPER, leaves]
    done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=True)
    assert done.stdout.strip() == said
