"""The themes of the monitor: dark, light, high contrast. Panels draw only in the dark theme's colours.

On the way to the screen `worn` puts a theme's colours in their place, so that a change of theme draws nothing anew. Runs keep
their place on the scale from cold to hot. Every scale holds for people with any of the three colour-vision deficiencies and is
legible on its ground (`tests/tui/test_themes.py` computes both).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct, field
from rich.color import Color, ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.theme import Theme as TextualTheme

from lrtui.frontend import state_style
from lrtui.frontend.run_colors import LIGHT_STOPS, STOPS, heat, place_of
from lrtui.tui import styled_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lrtui.frontend.run_colors import Stop


class Theme(Struct, frozen=True):
    """One theme."""

    name: str
    what: str
    ground: str
    raised: str
    """The background of dialogs."""
    light: bool = False
    colours: Mapping[str, str] = field(default_factory=dict)
    """By the dark theme's colours."""
    stops: Sequence[Stop] = STOPS
    """The runs' colours, cold to hot."""

    def colour(self, dark: str) -> str:
        """Return this theme's colour for one of the dark theme's colours."""
        known = self.colours.get(dark)
        if known is not None:
            return known
        place = place_of(dark)
        return dark if place is None else heat(place, self.stops)


def _stops(text: str) -> tuple[Stop, ...]:
    return tuple(
        (int(hexa[0:2], 16), int(hexa[2:4], 16), int(hexa[4:6], 16)) for hexa in text.split()
    )


DARK = Theme("dark", "light text on dark blue", "#0f1419", "#1b222c")
LIGHT = Theme(
    "light",
    "dark text on white",
    "#fbfbf8",
    "#eef1f4",
    light=True,
    colours={
        styled_text.TEXT: "#1f2328",
        styled_text.FAINT: "#59636e",
        styled_text.RULE: "#a8b1bb",
        styled_text.ACCENT: "#0550ae",
        styled_text.HIGHLIGHT: "#dde5ee",
        state_style.OK: "#116329",
        state_style.GO: "#000000",
        state_style.WARN: "#8a4600",
        state_style.BAD: "#b3151c",
        state_style.CUT: "#6639ba",
    },
    stops=LIGHT_STOPS,
)
CONTRAST = Theme(
    "contrast",
    "white on black, no faint text",
    "#000000",
    "#101010",
    colours={
        styled_text.TEXT: "#ffffff",
        styled_text.FAINT: "#dcdcdc",
        styled_text.RULE: "#a0a0a0",
        styled_text.ACCENT: "#66d9ff",
        styled_text.HIGHLIGHT: "#2c2c2c",
        state_style.OK: "#6cff8d",
        state_style.GO: "#ffffff",
        state_style.WARN: "#ffe14d",
        state_style.BAD: "#ff8f87",
        state_style.CUT: "#e0b3ff",
    },
    stops=_stops("7777e5 55b0dd b7dae0 02ffb0 ffff17 e6b52e db7748 ff0d87"),
)
THEMES: dict[str, Theme] = {theme.name: theme for theme in (DARK, LIGHT, CONTRAST)}
"""To add a theme: one line here."""


def worn(strip: Strip, name: str) -> Strip:
    """Return a line in a theme's colours."""
    if name == DARK.name or name not in THEMES:
        return strip
    segments = [Segment(text, _style(style, name) if style else style) for text, style, _ in strip]
    return Strip(segments, strip.cell_length)


@lru_cache(maxsize=1024)
def _style(style: Style, name: str) -> Style:
    ink, back = (_hex(colour) for colour in (style.color, style.bgcolor))
    known = THEMES[name].colour
    return style + Style(color=known(ink) if ink else None, bgcolor=known(back) if back else None)


def _hex(colour: Color | None) -> str:
    return colour.triplet.hex if colour is not None and colour.triplet is not None else ""


_OF_SIXTEEN = {
    theme.colour(role): number
    for theme, numbers in ((DARK, (10, 13)), (LIGHT, (2, 5)), (CONTRAST, (10, 13)))
    for role, number in zip((state_style.OK, state_style.CUT), numbers, strict=True)
}
"""The green and the violet of each theme among 16 colours, where a grey is nearest to them."""


def reduced(colour: Color, system: ColorSystem) -> Color:
    """Return a colour as a terminal with fewer of them has it."""
    number = _OF_SIXTEEN.get(colour.triplet.hex) if colour.triplet is not None else None
    if number is not None and system is ColorSystem.STANDARD:
        return Color.from_ansi(number)
    return colour.downgrade(system)


@lru_cache(maxsize=1)
def textual() -> dict[str, TextualTheme]:
    """Return the themes for Textual's own widgets (text fields, the command palette) and the style sheet.

    Textual asks for them at every look at the style sheet's variables, so they are made once.
    """
    return {name: _textual(theme) for name, theme in THEMES.items()}


def _textual(theme: Theme) -> TextualTheme:
    accent, text = theme.colour(styled_text.ACCENT), theme.colour(styled_text.TEXT)
    return TextualTheme(
        theme.name,
        primary=accent,
        accent=accent,
        warning=theme.colour(state_style.WARN),
        error=theme.colour(state_style.BAD),
        success=theme.colour(state_style.OK),
        foreground=text,
        background=theme.ground,
        surface=theme.raised,
        panel=theme.raised,
        dark=not theme.light,
    )
