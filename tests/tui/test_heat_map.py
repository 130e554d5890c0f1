"""The heat map of a search beside the LR: as a picture, in a terminal without colours and in one without Unicode."""

# ruff: noqa: RUF001  # a chart as text

from __future__ import annotations

from msgspec import structs

from lrtui.analysis.verdict import Point, Verdict
from lrtui.analysis.verdict.heat_map import HeatMap
from lrtui.frontend.run_colors import RunColors
from lrtui.sweep.events import Axis, GroupKey, Setting
from lrtui.tui.charts import heat_map_chart, plot
from lrtui.tui.panels.sensitivity import Sensitivity
from lrtui.tui.terminal.ascii_fallback import plain
from lrtui.tui.verdict_view import VerdictView
from lrtui.tui.view_model import ViewModel

GROUP = GroupKey("sgd", "constant")
AXIS = Axis("momentum", 0.1, 0.99, "complement")


def point(run: str, lr: float, momentum: float, **changes) -> Point:
    setting = Setting(lr, "sgd", "constant", axes={"momentum": momentum})
    known = {"values": (0.9,), "mean": 0.9, "se": None, "seeds": 1, "level": 9.0, "full": True}
    return Point(lr=lr, setting=setting, runs=(run,), **(known | changes))


def shown(limits: tuple[float, ...] = (-2.0, -1.0, -0.5, -0.1)) -> ViewModel:
    """Return a model with a map whose ridge falls by two decades over the axis."""
    lrs = tuple(-4 + 4 * i / 40 for i in range(41))
    shares = tuple(i / 20 for i in range(21))
    values = tuple(tuple(-((x + 1 + 2 * s) ** 2) for x in lrs) for s in shares)
    points = (
        point("r01", 1e-3, 0.9, full=False),
        point("r02", 1e-1, 0.1),
        point("r03", 1.0, 0.9, dead="diverged"),
    )
    chart = HeatMap(AXIS, lrs, shares, values, limits)
    found = Verdict(lr=1e-1, group=GROUP, setting=points[1].setting, low=5e-2, high=0.3)
    marks = RunColors().of((each.runs[0], each.lr) for each in points)
    return ViewModel(
        marks=marks,
        verdicts=VerdictView(found, {GROUP: found}, {GROUP: points}, maps={GROUP: (chart,)}),
    )


def art(model: ViewModel, width: int, height: int) -> list[str]:
    (picture,) = heat_map_chart.pictures(model, width, height)
    strips = plot.draw(picture, width, height, quick=True)
    return ["".join(segment.text for segment in strip) for strip in strips]


def test_it_shows_the_ridge_and_what_was_trained() -> None:
    assert art(shown(), 60, 11) == PICTURE


PICTURE = [
    "     ┌ momentum against lr ──────── ★ 1e-01, 0.1 █ -0.1000 ┐",
    " 0.99┤▒▒▒▒▓▓▓▓▓████████▓▓▓▓▒▒▒▒░░░░░                       │",
    "     │░░░░▒▒▒▒▓▓▓▓████████▓▓▓▓▓▒▒▒░░░░░░                   │",
    "     │  ░░░░░░▒▒▒▓▓▓▓▓████████▓▓▓▓▒▒▒▒░░░░░                │",
    "     │      ░░░░░▒▒▒▒▓▓▓▓████████▓▓▓▓▓▒▒▒░░░░░░            │",
    "  0.9┤         ░░░○A░▒▒▒▓▓▓▓▓████████▓▓▓▓▒▒▒▒░░░░░     ×C  │",
    "     │             ░░░░░▒▒▒▒▓▓▓▓████████▓▓▓▓▓▒▒▒░░░░░░     │",
    "     │                ░░░░░░▒▒▒▓▓▓▓▓████████▓▓▓▓▒▒▒▒░░░░   │",
    "     │                    ░░░░░▒▒▒▒▓▓▓▓████★B██▓▓▓▓▓▒▒▒▒   │",
    "     └┴───────────┴───────────┴────────═══════════─────┴───┘",
    "    1e-04       0.001       0.01          0.1          1    ",
]


def test_it_reads_in_ascii() -> None:
    assert ["".join(map(plain, line)) for line in art(shown(), 60, 11)][1:4] == ASCII


ASCII = [
    " 0.99+::::%%%%%########%%%%::::.....                       |",
    "     |....::::%%%%########%%%%%:::......                   |",
    "     |  ......:::%%%%%########%%%%::::.....                |",
]


def test_bands_that_fell_together_are_left_out() -> None:
    (picture,) = heat_map_chart.pictures(shown(limits=(-1.0,)), 60, 11)
    assert [shade.char for shade in picture.field.shades] == ["▓", "█"]
    assert len(picture.legend) == 2


def test_several_maps_share_the_width() -> None:
    model = shown()
    (chart,) = model.verdicts.maps[GROUP]
    model = structs.replace(
        model, verdicts=structs.replace(model.verdicts, maps={GROUP: (chart, chart)})
    )
    strips = Sensitivity().paint(model, 81, 11)
    assert [strip.cell_length for strip in strips] == [81] * 11
    assert strips[0].text.count("momentum against lr") == 2
    assert Sensitivity().paint(model, 50, 11)[0].text.count("momentum against lr") == 1
