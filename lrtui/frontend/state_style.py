"""How the state of a run looks: a symbol, a word and a colour, never a colour alone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """One state."""

    symbol: str
    word: str
    """At most 15 characters, for wide tables."""
    short: str
    """At most 8 characters."""
    colour: str
    count: str
    """Under which word the status line counts it."""


OK, GO, REST, WARN, BAD = "#8fd694", "#e6edf3", "#8b98a5", "#ffc857", "#ff7b72"
HELD, CUT = "#79c0ff", "#c3a6e8"
"""Of what waits for a decision, and of what a decision has stopped."""

LOOKS: dict[str, Look] = {
    "running": Look("●", "running", "running", GO, "running"),
    "starting": Look("◌", "starting", "starting", GO, "running"),
    "stopping": Look("◍", "stopping", "stopping", WARN, "running"),
    "pausing": Look("◍", "pausing", "pausing", WARN, "running"),
    "frozen": Look("■", "frozen", "frozen", WARN, "frozen"),
    "paused": Look("=", "paused", "paused", WARN, "paused"),
    "waiting": Look("◔", "waits at rung", "waits", HELD, "waiting"),
    "queued": Look("○", "queued", "queued", REST, "queued"),
    "finished": Look("✓", "finished", "finished", OK, "finished"),
    "pruned": Look("▽", "stopped by rule", "by rule", CUT, "by rule"),
    "killed": Look("x", "killed by you", "killed", REST, "killed"),
    "diverged": Look("∞", "diverged", "diverged", BAD, "diverged"),
    "failed": Look("!", "failed", "failed", BAD, "failed"),
    "lost": Look("?", "lost", "lost", BAD, "lost"),
}

_UNKNOWN = Look("·", "unknown", "unknown", REST, "unknown")


def look(state: str) -> Look:
    """Return how a state looks; one that this version does not know is shown as unknown."""
    return LOOKS.get(state, _UNKNOWN)
