"""Text mode for screen readers: what changes is said in sentences, nothing is drawn, and commands are typed as words.

`lrtui DIR --plain`. Lines are only ever added, none is rewritten; what runs measure is told when it is asked for, and when another
run takes the lead. What is asked for goes the same way as from the monitor: `intents` and `undo` say what a word means.
"""

from __future__ import annotations

import sys
import threading
from functools import partial
from pathlib import Path
from typing import TextIO

from lrtui.frontend import log_mode
from lrtui.frontend.screenreader.conversation import Conversation
from lrtui.frontend.screenreader.sentences import Sentences
from lrtui.frontend.screenreader.spoken_commands import do


def run(
    directory: Path,
    *,
    view_only: str = "",
    start: bool = True,
    out: TextIO | None = None,
    words: TextIO | None = None,
) -> int:
    """Tell what happens and do what is typed, until the sweep is closed or the user leaves; return the exit code.

    `view_only` says why nothing can be asked for. With start=False no supervisor is started.
    """
    out = out or sys.stdout
    talk = Conversation(directory, out, partial(do, view_only=view_only))
    talk.say("Type help for the commands. Typing quit leaves; the runs go on.")
    threading.Thread(target=talk.listen, args=(words or sys.stdin,), daemon=True).start()
    log = Sentences(talk.say, out)
    return log_mode.run(directory, out=out, start=start, log=log, heed=talk.heed)
