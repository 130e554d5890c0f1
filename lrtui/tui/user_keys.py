"""The user's own keys: a small file that changes the table of keys; docs/keys.md describes it.

Its path is $XDG_CONFIG_HOME/lrtui/keys.toml (usually ~/.config/lrtui/keys.toml), or LRTUI_KEYS:

    kill = "X"                  # an action of the table below, and its key
    "move(1)" = ["n", "down"]   # several keys
    new = "ctrl+n"
    bell = true                 # no key: the terminal's bell rings for alerts
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
from msgspec.structs import replace
from textual.keys import _character_to_key

from lrtui.errors import UserError
from lrtui.text.clean import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lrtui.tui.keymap import Key

_NAMED = {
    "escape", "enter", "tab", "space", "backspace", "delete", "insert", "home", "end", "pageup", "pagedown", "up", "down",
    "left", "right", *(f"f{n}" for n in range(1, 25)),
}  # fmt: skip
_HELD = ("ctrl+", "shift+", "alt+")
_KEPT = ("interrupt", "redraw")
"""Actions whose keys cannot be changed, so that a faulty file cannot lock the user out."""


def path() -> Path:
    """Return the path of the user's file, which need not exist."""
    told = os.environ.get("LRTUI_KEYS")
    if told is not None:
        return Path(told)
    return platformdirs.user_config_path("lrtui") / "keys.toml"


def changed(usual: tuple[Key, ...]) -> tuple[Key, ...]:
    """Return the table of keys as the user's file changes it; the table itself if there is no file.

    Raises:
        UserError: the file cannot be read, has an unknown action or key, or gives a key to two actions.

    """
    wishes = {name: wish for name, wish in _wishes().items() if name != "bell"}
    return with_keys(usual, wishes, str(path())) if wishes else usual


def bell_wanted() -> bool:
    """Return whether the terminal's bell rings for new alerts; by default it does not.

    Raises:
        UserError: the file cannot be read, or says something else than true or false.

    """
    wish = _wishes().get("bell", False)
    if not isinstance(wish, bool):
        raise UserError(
            f"bell is neither true nor false: {clean(str(wish), 60)!r}",
            str(path()),
            "write bell = true",
        )
    return wish


def _wishes() -> dict[str, object]:
    file = path()
    try:
        if not file.is_file():
            return {}
        from lrtui.text import toml  # costs every start 2 ms

        return toml.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise UserError(
            f"cannot be read: {clean(str(error), 200)}", str(file), "fix or remove it"
        ) from error


def with_keys(usual: tuple[Key, ...], wishes: dict[str, object], where: str) -> tuple[Key, ...]:
    """Return the table with other keys for some actions; a key that moved away from an action leaves it the others."""
    actions = [key.action for key in usual if key.action not in _KEPT]
    wanted: dict[str, list[str]] = {}
    owner: dict[str, str] = {
        name: key.action for key in usual if key.action in _KEPT for name in key.keys.split(",")
    }
    for action, wish in wishes.items():
        if action not in actions:
            import difflib  # costs every start 2 ms

            near = difflib.get_close_matches(action, actions, 1)
            raise UserError(
                f"there is no action {clean(action, 60)!r} with a key to change",
                where,
                f"did you mean {near[0]}?" if near else f"the actions are: {', '.join(actions)}",
            )
        wanted[action] = [_name(each, action, where) for each in _listed(wish)]
        for name in wanted[action]:
            if owner.setdefault(name, action) != action:
                raise UserError(
                    f"{name} is given to two actions: {owner[name]} and {action}",
                    where,
                    "give one of them another key",
                )
    return tuple(_with(key, wanted.get(key.action), owner) for key in usual)


def _with(key: Key, names: list[str] | None, owner: dict[str, str]) -> Key:
    if names is None:
        kept = [name for name in key.keys.split(",") if owner.get(name, key.action) == key.action]
        if len(kept) == len(key.keys.split(",")):
            return key
        names = kept
    return replace(key, keys=",".join(names) or "ignored", shown=" ".join(map(_shown, names)))


def _listed(wish: object) -> Iterable[object]:
    return wish if isinstance(wish, list) else [wish]


def _name(wish: object, action: str, where: str) -> str:
    """Return Textual's name of a key that a person wrote as x, X, +, ctrl+n, F5 or pagedown."""
    if isinstance(wish, str):
        if len(wish) == 1 and wish.isprintable():
            return "space" if wish == " " else _character_to_key(wish)
        held, bare = "", wish.lower()
        while bare.startswith(_HELD):
            first, _, bare = bare.partition("+")
            held += f"{first}+"
        if bare in _NAMED or (held and len(bare) == 1 and bare.isalnum()):
            return held + bare
    raise UserError(
        f"{clean(str(wish), 60)!r} (for {action}) is no key",
        where,
        'keys are written so: "x", "X", "+", "ctrl+n", "f5", "pagedown"',
    )


def _shown(name: str) -> str:
    """Return a key as people write it."""
    from textual.keys import format_key

    return format_key(name) if len(name) > 1 and "+" not in name else name
