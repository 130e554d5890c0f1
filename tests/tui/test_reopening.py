"""The monitor keeps what it read of long runs when it is left, and opens them again from there."""

from pathlib import Path

from tests.benchmarks.monitor import record
from tests.tui.terminal import Terminal


def test_what_was_read_is_there_when_the_monitor_is_opened_again(tmp_path):
    directory = record(tmp_path / "long", 30_000, 2)
    cache = tmp_path / "cache"
    first, kept = _look(directory, cache)
    assert [name.partition("-")[2][:3] for name, _ in kept] == ["r01", "r02"]
    second, still = _look(directory, cache)
    assert second == first
    assert still == kept  # nothing was read that would have been worth keeping


def _look(directory: Path, cache: Path) -> tuple[str, list[tuple[str, int]]]:
    """Open the monitor, leave it once all is shown, and return the screen and the entries."""
    with Terminal(directory, 120, 40, XDG_CACHE_HOME=str(cache)) as terminal:
        terminal.until(lambda: terminal.text.count("30k/30k") >= 2)
        terminal.rest()
        screen = terminal.text
        terminal.press("q")
        assert terminal.ended() == 0
    files = sorted(path for path in cache.rglob("*") if path.is_file())
    return screen, [(path.name, path.stat().st_mtime_ns) for path in files]
