"""The monitor on runs that lrtui did not start."""

import json
from pathlib import Path

from lrtui.frontend.watch.reader import VIEW_ONLY, WatchReader
from lrtui.tui.app import Monitor
from lrtui.tui.panels.footer import Keys
from tests.tui.conftest import settled, text_of


async def test_watched_runs_fill_the_monitor(tmp_path: Path) -> None:
    """Charts, leaderboard, settings and the answer bar show them; what steers is refused."""
    for number, lr in enumerate((1e-3, 1e-2)):
        folder = tmp_path / "a-long-path-of-many-folders" / f"run{number}"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({"lr": lr, "batch": 32 + number}))
        rows = ({"step": n, "val_loss": 1 / (n + number + 1)} for n in range(20))
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = WatchReader([tmp_path])
    app = Monitor(tmp_path, notice=f"view only: {VIEW_ONLY}", source=source)
    async with app.run_test(size=(160, 45)) as pilot:
        await settled(pilot)
        while app.model.snapshot.reading or not app.model.snapshot.standings:
            await settled(pilot)
        await settled(pilot)
        shown = text_of(app)
        assert "watching 2 runs" in shown
        assert "best val_loss 0.0476   lr=1e-02 batch=33" in shown
        assert "ranked by min val_loss: each run's best value, at any length" in shown
        assert "val_loss by step" in shown
        assert "Sensitivity" not in shown
        assert "ETA" not in shown
        assert "…th-of-many-folders/run1 " in shown
        await pilot.press("K")
        assert app.model.notice.text == f"view only: {VIEW_ONLY}"
        await pilot.press("r")
        assert app.model.notice.text == f"{VIEW_ONLY}, so there is no search"
        assert app.model.view.pane == "charts"
        await pilot.press("6")
        await settled(pilot)
        assert "settings" in text_of(app)
        footer = Keys().draw(app.model, 200, 1)[0].text
        assert "kill" not in footer


async def test_a_folder_without_runs_says_so(tmp_path: Path) -> None:
    """There is no metric yet, so no sentence names one."""
    app = Monitor(tmp_path, source=WatchReader([tmp_path]))
    async with app.run_test(size=(160, 45)) as pilot:
        while app.model.snapshot is None or app.model.snapshot.reading:
            await settled(pilot)
        await settled(pilot)
        shown = text_of(app)
    assert "watching 0 runs" in shown
    assert "nothing to show yet" in shown
    assert "ranked by" not in shown
    assert " by step" not in shown
