"""How many bytes may be sent to the terminal now, learned from how fast it takes them."""

from __future__ import annotations

from collections import deque

_LEAST, _MOST = 1024, 4096
"""Bytes that may be under way on a slow line and on a quick one; the latter are half a second where it turns slow (9,600/s)."""
_FAR_BYTES = 1 << 15
"""Bytes more that may be under way for each second that the way itself takes: a far line is filled, too."""
_PART = 2048
"""A frame goes out in parts of at most so many bytes, so that a line that stops taking them holds one old part, not a screen."""
_LAG_SECONDS = 0.25
"""What lies on the line may take so long to get through."""
_FAR_SECONDS = 0.7
"""The way itself is taken to be no longer than that; what comes on top is a queue."""
_ANSWER_SECONDS = 3.0
"""Without an answer for so long the terminal is taken to give none, or the answer to be lost."""


class Pace:
    """How many bytes may be sent now: a window as TCP has one, and the user's cap."""

    def __init__(self, most_bytes: int = 0) -> None:
        self.probes = True
        """Whether the terminal is asked for answers."""
        self._most = most_bytes
        self._burst = most_bytes / 10
        self._tokens = self._burst
        self._at = 0.0
        self._window = _MOST
        self._under_way: deque[tuple[float, int]] = deque()
        """When a frame was sent and how long it was, of those that were not answered."""
        self._quickest = 0.05
        """The shortest time to an answer of late, in seconds: what the way takes even when it is empty."""
        self._ever = False
        """Whether the terminal ever answered."""

    @property
    def awaits(self) -> bool:
        """Whether an answer is under way."""
        return self._ever and bool(self._under_way)

    def room(self, now: float) -> tuple[int, float]:
        """Return how many bytes may go now and, where none, after how many seconds to ask again."""
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
        """Note that a frame is sent."""
        if self.probes:
            self._under_way.append((now, size))
        self._tokens -= size

    def wrote(self, size: int, seconds: float) -> None:
        """Learn from how long writing took where the terminal does not answer."""
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
