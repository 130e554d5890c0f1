"""How the state of a run looks: a symbol, a word and a colour, never only a colour."""

from __future__ import annotations

from msgspec import Struct


class StateStyle(Struct, frozen=True):
    """One state."""

    symbol: str
    word: str
    """At most 15 characters, for wide tables."""
    short: str
    """At most 8 characters."""
    colour: str
    count: str
    """The word under which the answer bar counts it."""


OK, GO, REST, WARN, BAD = "#8fd694", "#e6edf3", "#8b98a5", "#ffc857", "#ff7b72"
HELD, CUT = "#79c0ff", "#c3a6e8"
"""Of what waits for a decision, and of what a decision has stopped."""

LOOKS: dict[str, StateStyle] = {
    "running": StateStyle("●", "running", "running", GO, "running"),
    "starting": StateStyle("◌", "starting", "starting", GO, "running"),
    "stopping": StateStyle("◍", "stopping", "stopping", WARN, "running"),
    "pausing": StateStyle("◍", "pausing", "pausing", WARN, "running"),
    "frozen": StateStyle("■", "frozen", "frozen", WARN, "frozen"),
    "paused": StateStyle("=", "paused", "paused", WARN, "paused"),
    "waiting": StateStyle("◔", "waiting at rung", "waiting", HELD, "waiting"),
    "queued": StateStyle("○", "queued", "queued", REST, "queued"),
    "finished": StateStyle("✓", "finished", "finished", OK, "finished"),
    "pruned": StateStyle("▽", "pruned", "pruned", CUT, "pruned"),
    "killed": StateStyle("x", "killed by you", "killed", REST, "killed"),
    "diverged": StateStyle("∞", "diverged", "diverged", BAD, "diverged"),
    "failed": StateStyle("!", "failed", "failed", BAD, "failed"),
    "ended": StateStyle("·", "no longer written", "quiet", REST, "quiet"),
    "lost": StateStyle("?", "lost", "lost", BAD, "lost"),
}

_UNKNOWN = StateStyle("·", "unknown", "unknown", REST, "unknown")


def style_of(state: str) -> StateStyle:
    """Return how a state looks; one that this version does not know is shown as unknown."""
    return LOOKS.get(state, _UNKNOWN)
