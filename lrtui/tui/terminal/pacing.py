"""Decides how many bytes may be sent to the terminal now, from how fast it has taken earlier ones."""

from __future__ import annotations

from collections import deque

_LEAST, _MOST = 1024, 4096
"""Bytes in flight on a slow connection and on a fast one; the latter take half a second if it becomes slow (9,600 bytes/s)."""
_FAR_BYTES = 1 << 15
"""Additional bytes in flight per second of latency, so that a distant connection is filled too."""
_PART = 2048
"""The largest part of a frame in bytes: a connection that stalls then holds one outdated part, not a whole screen."""
_LAG_SECONDS = 0.25
"""The time that the bytes in flight may take."""
_FAR_SECONDS = 0.7
"""The longest latency assumed; anything above it is queueing."""
_ANSWER_SECONDS = 3.0
"""After this time without an answer, the terminal is assumed not to answer, or the answer to be lost."""


class Pace:
    """The bytes that may be sent now: a congestion window as in TCP, and the user's limit."""

    def __init__(self, most_bytes: int = 0) -> None:
        self.probes = True
        """Whether probes are sent."""
        self._most = most_bytes
        self._burst = most_bytes / 10
        self._tokens = self._burst
        self._at = 0.0
        self._window = _MOST
        self._under_way: deque[tuple[float, int]] = deque()
        """(time sent, size) of the frames without an answer so far."""
        self._quickest = 0.05
        """The shortest recent time to an answer in seconds: the latency of an idle connection."""
        self._ever = False
        """Whether the terminal has ever answered."""

    @property
    def awaits(self) -> bool:
        """Whether an answer is pending."""
        return self._ever and bool(self._under_way)

    def room(self, now: float) -> tuple[int, float]:
        """Return the bytes that may be sent now and, if 0, the seconds after which to ask again."""
        room, seconds = self._window, 1.0
        if self._under_way:
            since = now - self._under_way[0][0]
            if since > _ANSWER_SECONDS:
                self.probes = self.probes and self._ever
                self._under_way.clear()
            elif self._ever:
                room -= sum(size for _, size in self._under_way)
                seconds = _ANSWER_SECONDS - since + 0.01
                room = 0 if room < self._window // 2 else room
        if self._most:
            self._tokens = min(
                self._burst, self._tokens + (now - (self._at or now)) * 0.9 * self._most
            )
            self._at = now
            if self._tokens < 0.5 * self._burst:
                return 0, (0.5 * self._burst - self._tokens) / (0.9 * self._most) + 0.005
            room = min(room, int(self._tokens))
        return min(room, _PART), seconds

    def sends(self, size: int, now: float) -> None:
        """Record that a frame is sent."""
        if self.probes:
            self._under_way.append((now, size))
        self._tokens -= size

    def wrote(self, size: int, seconds: float) -> None:
        """Learn from the duration of a write if the terminal does not answer."""
        if not self._ever:
            self._learn(size, seconds)

    def answered(self, now: float) -> None:
        """Learn from an answer."""
        self._ever = self.probes = True
        if not self._under_way:
            return
        sent_at, size = self._under_way.popleft()
        seconds = now - sent_at
        self._quickest = min(1.02 * self._quickest + 0.001, seconds, _FAR_SECONDS)
        self._learn(size, seconds - self._quickest)

    def _learn(self, size: int, seconds: float) -> None:
        if seconds > 1.5 * _LAG_SECONDS:
            self._window = max(_LEAST, min(self._window, int(size * _LAG_SECONDS / seconds)))
        elif seconds < _LAG_SECONDS and size > min(self._window, _PART) // 2:
            self._window = min(2 * self._window, _MOST + int(_FAR_BYTES * self._quickest))
