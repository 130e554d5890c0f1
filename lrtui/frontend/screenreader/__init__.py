"""Text mode for screen readers: reports changes as sentences, draws nothing, and takes commands as words.

`lrtui DIR --plain` only adds lines and never rewrites one. It says what runs measure on request, and when another run takes the
lead. Words become commands the same way as the keys of the monitor: through `requests` and `undo`.
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
    """Report events and carry out typed commands, until the sweep is closed or the user leaves; return the exit code.

    `view_only` says why no command can be sent. With start=False no supervisor is started.
    """
    out = out or sys.stdout
    talk = Conversation(directory, out, partial(do, view_only=view_only))
    talk.say("Type help for the commands. Typing quit leaves; the runs continue.")
    threading.Thread(target=talk.listen, args=(words or sys.stdin,), daemon=True).start()
    log = Sentences(talk.say, out)
    return log_mode.run(directory, out=out, start=start, log=log, heed=talk.heed)
