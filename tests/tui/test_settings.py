"""The settings pane shows what was set, in the words of the experiment file."""

from types import MappingProxyType

import pytest

from lrtui.tui.panels.settings import Settings
from lrtui.tui.view_model import Pages, View, ViewModel
from tests.tui import recordings


@pytest.mark.parametrize(("horizon", "shown"), [("18.0", "18 epochs"), ("nan", "?"), ("x", "x")])
def test_the_settings_show_no_internals(horizon: str, shown: str) -> None:
    kept = {
        "lr": "0.003", "horizon": horizon, "unit": "epoch", "lr_to": "0.0", "lr_steps": "0", "parent": "none", "optimizer": "", "values.wd": "0.1"
    }  # fmt: skip
    pages = Pages(run="r04", settings=MappingProxyType(kept))
    model = ViewModel(recordings.snapshot(), View(selected="r04"), pages=pages)
    rows = [strip.text.split() for strip in Settings().draw(model, 60, 20)]
    names = [row[0] for row in rows]
    assert not {"unit", "lr_to", "lr_steps", "parent", "optimizer"} & set(names)
    assert ["wd", "0.1"] in rows
    if shown != "?":
        assert " ".join(rows[names.index("horizon")][1:]) == shown
