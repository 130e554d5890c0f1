"""The monitor in a real browser."""

from pathlib import Path

import pytest

from tests.recorded import make
from tests.web.chromium import PROGRAM, Browser, browser
from tests.web.served import served


def fills(page: Browser) -> bool:
    """Tell whether the screen goes from the answer bar in its first row to the keys in its last, with a chart between them."""
    first, *between, last = page.screen.display
    charted = any("\u2800" < char < "\u2900" or char == "─" for row in between for char in row)
    return "sweep" in first and "? help" in last and charted


@pytest.mark.skipif(not PROGRAM, reason="no Chromium is installed")
async def test_a_window_of_any_size_is_filled(tmp_path: Path) -> None:
    """First frame, both directions of a resize, a phone, `q`, a wrong token: one browser for all, since it takes seconds to start."""
    directory = make(tmp_path / "sweep", ["finished", "finished", "killed"], closed=0)
    with served(directory, cwd=tmp_path) as server:
        async with browser(tmp_path / "profile") as page:
            await page.ask("Network.enable")
            await page.size(1440, 900)
            await page.ask("Page.navigate", url=server.address)
            await page.until(lambda: page.screen.columns > 160 and fills(page))
            await page.size(800, 600)
            await page.until(lambda: page.screen.columns <= 100 and fills(page))
            await page.size(1440, 900)
            await page.until(lambda: page.screen.lines > 40 and fills(page))
            await page.size(390, 844)
            await page.until(lambda: page.screen.columns < 100 and fills(page))
            assert 45 <= page.screen.columns <= 60
            await page.press("q")
            await page.says("This monitor has ended")
            await page.ask("Page.navigate", url=f"{server.address}x")
            await page.says("open the address that `lrtui serve` printed")
        assert "Traceback" not in server.said.read_text()
