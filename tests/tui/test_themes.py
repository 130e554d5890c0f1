"""Every theme is legible, tells runs apart for every colour vision, and is what the whole screen wears."""

import itertools
import math
import re
from pathlib import Path

import pytest
from rich.color import Color, ColorSystem

from lrtui.frontend import state_style
from lrtui.frontend.run_colors import STOPS, heat, place_of
from lrtui.tui import styled_text
from lrtui.tui.themes import DARK, THEMES, Theme, reduced
from tests.benchmarks.monitor import record
from tests.tui.conftest import settled, text_of
from tests.tui.terminal import Terminal

ROLES = (styled_text.TEXT, styled_text.FAINT, styled_text.ACCENT, state_style.OK, state_style.GO, state_style.REST, state_style.WARN, state_style.BAD, state_style.HELD, state_style.CUT)  # fmt: skip
each_theme = pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
VISION = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "deutan": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    "tritan": ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
}


def linear(colour: str) -> list[float]:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]


def contrast(one: str, other: str) -> float:
    """Return WCAG's ratio, 1 to 21."""
    weights = (0.2126, 0.7152, 0.0722)
    low, high = sorted(sum(w * p for w, p in zip(weights, linear(c), strict=True)) for c in (one, other))  # fmt: skip
    return (high + 0.05) / (low + 0.05)


def seen(colour: str, vision: str) -> tuple[float, float, float]:
    """Return a colour in CIE Lab as someone with that vision sees it."""
    rgb = linear(colour)
    r, g, b = (min(max(sum(m * c for m, c in zip(row, rgb, strict=True)), 0), 1) for row in VISION[vision])  # fmt: skip

    def f(t: float) -> float:
        return t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116

    x, y, z = (
        f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047),
        f(0.2126 * r + 0.7152 * g + 0.0722 * b),
        f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883),
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def runs(theme: Theme) -> list[str]:
    return [theme.colour(heat(i / (len(STOPS) - 1))) for i in range(len(STOPS))]


@each_theme
def test_text_has_a_contrast_of_four_and_a_half_and_curves_of_three(theme) -> None:
    for role in ROLES:
        for ground in (theme.ground, theme.raised):
            assert contrast(theme.colour(role), ground) >= 4.5, role
    assert min(contrast(colour, theme.ground) for colour in runs(theme)) >= 3
    if theme.name == "contrast":
        assert min(contrast(theme.colour(role), theme.ground) for role in ROLES) >= 7


@each_theme
@pytest.mark.parametrize("vision", VISION)
def test_runs_differ_for_every_colour_vision(theme, vision) -> None:
    for one, other in itertools.combinations(runs(theme), 2):
        assert math.dist(seen(one, vision), seen(other, vision)) >= 10, (one, other)


@each_theme
def test_nothing_vanishes_into_the_ground_in_sixteen_colours(theme) -> None:
    def sixteen(colour: str) -> object:
        return Color.parse(colour).downgrade(ColorSystem.STANDARD).number

    for colour in (*(theme.colour(role) for role in ROLES), *runs(theme)):
        assert sixteen(colour) != sixteen(theme.ground), colour


@each_theme
def test_good_bad_and_pruned_differ_in_sixteen_colours(theme) -> None:
    def sixteen(role: str) -> object:
        return reduced(Color.parse(theme.colour(role)), ColorSystem.STANDARD).number

    meaning = [sixteen(role) for role in (state_style.OK, state_style.BAD, state_style.CUT)]
    plain = {sixteen(styled_text.TEXT), sixteen(styled_text.FAINT)}
    assert len({*meaning} - plain) == 3


def test_a_runs_colour_keeps_its_place_in_every_theme() -> None:
    for i in range(257):
        assert place_of(heat(i / 256)) == pytest.approx(i / 256, abs=0.01)
    for role in ROLES:
        assert place_of(role) is None
    for theme in THEMES.values():
        assert theme.colour(heat(0)) != theme.colour(heat(1))


def test_a_role_that_has_no_colour_of_its_own_is_a_fault_of_the_theme() -> None:
    for theme in THEMES.values():
        if theme is not DARK:
            assert {*ROLES, styled_text.RULE} <= set(theme.colours)


async def test_the_theme_is_chosen_from_a_list_and_worn_by_everything(monitor) -> None:
    async with monitor.run_test(size=(160, 45)) as pilot:
        await settled(pilot)
        before = text_of(monitor)
        await pilot.press("T", *"lig", "enter")
        await settled(pilot)
        assert monitor.theme == "light"
        assert "theme light" in text_of(monitor)
        light, dark = THEMES["light"], {*ROLES, styled_text.RULE}
        used = set()
        for strip in monitor.screen._compositor.render_strips():
            for _, style, _ in strip:
                assert style.bgcolor.triplet.hex in {
                    light.ground,
                    light.colour(styled_text.HIGHLIGHT),
                }
                used.add(style.color.triplet.hex)
        assert not used & (dark - set(light.colours.values()))
        assert {
            light.colour(heat(0)),
            light.colour(heat(1)),
            light.colour(styled_text.TEXT),
        } <= used
        await pilot.press("T", *"dark", "enter", "j", "k")
        await settled(pilot)
        assert text_of(monitor) == before


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("runs") / "benchmark", 500)


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"COLORTERM": "", "TERM": "xterm"}])
def test_themes_change_without_colours_and_in_sixteen(recorded: Path, env: dict[str, str]) -> None:
    with Terminal(recorded, 80, 24, **env) as terminal:
        terminal.shows("finished")
        for name in ("contrast", "light"):
            terminal.press("T")
            terminal.shows("Theme")
            terminal.press(name)
            terminal.until(lambda: "↑ ↓ move" in terminal.text)
            terminal.press("\r")
            terminal.shows(f"theme {name}")
        terminal.shows("C 1e-03")
        colours = re.search(rb"\x1b\[[0-9;]*(3[0-7]|[34]8;[25]);", terminal.raw)
        assert (colours is None) == ("NO_COLOR" in env)
        if "TERM" in env:
            assert not re.search(rb"\x1b\[[0-9;]*[34]8;2;", terminal.raw)
