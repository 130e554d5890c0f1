"""The command of a proposed experiment: the script's own words, with placeholders for the learning rate, the length, the seed and the folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lrtui.config.proposal.flag import Flag, number, plain
from lrtui.config.proposal.launch import Launch
from lrtui.config.proposal.python_source import Module
from lrtui.config.proposal.roles import Roles
from lrtui.sweep.events import Unit

KEYS: dict[Unit, str] = {"epoch": "epochs", "step": "steps", "tokens": "tokens"}
_UNKNOWN = "FILL_IN"
_CHECKPOINT = re.compile(r"[\w.-]*\.(?:pt|pth|ckpt|tar|bin|pkl|safetensors|npz)")
_FILES = ("checkpoint", "ckpt", "snapshot")


@dataclass(slots=True)
class Command:
    """A command in the making."""

    words: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def given_flags(words: Sequence[str]) -> list[Flag]:
    """Return the options among the words of a launch line: --name value, --name=value and name=value."""
    return [flag for flag, _ in _options(words, {}) if flag]


def _options(
    words: Sequence[str], known: Mapping[str, Flag]
) -> Iterator[tuple[Flag | None, list[str]]]:
    """Yield the words in groups, each with the option that it says or None."""
    place = 0
    while place < len(words):
        word = words[place]
        place += 1
        name, equals, value = word.partition("=")
        is_option = bool(re.match(r"--?[A-Za-z]", word))
        if equals and (is_option or re.match(r"\+{0,2}[A-Za-z_][\w.]*$", name)):
            yield Flag(name.lstrip("-+"), f"{name}={{}}", number(value)), [word]
            continue
        if not is_option:
            yield None, [word]
            continue
        flag = known.get(plain(name.lstrip("-")))
        following = words[place] if place < len(words) else ""
        if (flag and flag.switch) or not following or re.match(r"-[^\d.]", following):
            yield Flag(name.lstrip("-"), name, switch=True), [word]
        else:
            place += 1
            yield Flag(name.lstrip("-"), name, number(following), apart=True), [word, following]


def command_of(
    launch: Launch, flags: Sequence[Flag], roles: Roles, modules: Sequence[Module]
) -> Command:
    """Return the command, with notes on what is uncertain."""
    made = Command()
    wanted = _wanted(roles, modules, made)
    pieces = {name: each for name, each in wanted.items() if each[0].source}
    for name, (flag, value) in list(wanted.items()):
        if flag.variable:
            made.env[flag.name] = value
            del wanted[name]
        elif flag.source:
            del wanted[name]
    known = {plain(flag.name): flag for flag in flags}
    behind = _behind(launch, [flag for flag in flags if flag.argument], known, wanted, made)
    made.words += _start(launch, list(pieces.values()), made)
    verb = next((flag.verb for flag in (roles.rate, roles.length) if flag and flag.verb), "")
    made.words += [verb] * (bool(verb) and verb not in launch.given) + behind
    return made


def _wanted(roles: Roles, modules: Sequence[Module], made: Command) -> dict[str, tuple[Flag, str]]:
    """Return the flags to fill in, with their values."""
    key = KEYS[roles.unit]
    values: list[tuple[Flag | None, str]] = [(roles.rate, "{lr}")]
    if roles.lowest and roles.center and isinstance(roles.lowest.default, (int, float)):
        values.append((roles.lowest, f"{{lr*{roles.lowest.default / roles.center:.3g}}}"))
    values += [(roles.seed, "{seed}"), (roles.length, f"{{{key}}}")]
    values += [(flag, f"{{{key}}}") for flag in roles.spans]
    values += _places(roles, modules, made)
    return {plain(flag.name): (flag, value) for flag, value in values if flag}


def _places(
    roles: Roles, modules: Sequence[Module], made: Command
) -> list[tuple[Flag | None, str]]:
    """Return where a script writes its files and what it resumes from."""
    folder, resume = roles.folder, roles.resume
    if folder is None:
        if resume and not resume.source:
            made.doubts.append(
                f"no flag says where it writes what --{resume.name} reads; runs at the same time may overwrite each other's files"
            )
        return []
    name = str(folder.default or "").rpartition("/")[2]
    is_file = "." in name.strip(".")
    if resume is None or resume.argument or resume.source:
        own = plain(folder.name).partition("_")[0] in _FILES and not plain(folder.name).endswith(
            "dir"
        )
        if own:
            made.doubts.append(
                f"does it resume from --{folder.name} where that exists? If not, write {{run_dir}}/{folder.name} there"
            )
            return [(folder, "{checkpoint}")]
        return [(folder, f"{{run_dir}}/{name if is_file else 'output'}")]
    if resume.switch and not resume.source:
        return [(folder, "{checkpoint}"), (_conditional(resume, ""), "")]
    if _takes_word(resume, modules):
        return [(folder, "{checkpoint}"), (_conditional(resume, "resume"), "")]
    inside = "" if is_file else _written(modules)
    if not is_file:
        made.doubts.append(
            f"is {{checkpoint}}{inside} the file that it writes into --{folder.name} and --{resume.name} reads?"
        )
    return [(folder, "{checkpoint}"), (_conditional(resume, "{checkpoint}" + inside), "")]


def _conditional(flag: Flag, value: str) -> Flag:
    """Return a switch that is only passed if there is a checkpoint."""
    text = flag.form.replace("{}", value, 1)
    return Flag(flag.name, f"{{?checkpoint:{text}}}", switch=True)


def _takes_word(resume: Flag, modules: Sequence[Module]) -> bool:
    """Return whether a script compares its resume flag with the word "resume", as nanoGPT does."""
    name = re.escape(plain(resume.name))
    return any(re.search(rf"\b{name}\s*==\s*[\"']resume[\"']", module.text) for module in modules)


def _written(modules: Sequence[Module]) -> str:
    """Return the name of the checkpoint that a script writes, after a slash; "" if there is not exactly one."""
    found = [
        each[1]
        for module in modules[:1]
        for each in re.finditer(
            r"[\"'/]([\w.-]+\.(?:pt|pth|ckpt|pth\.tar|tar|pkl))[\"']", module.text
        )
    ]
    best = [each for each in found if re.search(r"last|latest|ckpt|checkpoint", each)] or found
    return f"/{best[0]}" if best else ""


def _behind(
    launch: Launch,
    arguments: Sequence[Flag],
    known: Mapping[str, Flag],
    wanted: dict[str, tuple[Flag, str]],
    made: Command,
) -> list[str]:
    """Return the words after the script."""
    words: list[str] = []
    waiting = list(arguments)
    missing = {
        plain(flag.name): flag
        for flag in known.values()
        if flag.required and not flag.argument and not flag.variable
    }
    for flag, said in _options(launch.given, known):
        if flag is None:
            argument = waiting.pop(0) if waiting else None
            mine = wanted.pop(plain(argument.name), None) if argument else None
            words += [mine[1]] if mine else said
            continue
        name = plain(flag.name)
        missing.pop(name, None)
        role = wanted.pop(name, None)
        words += flag.words(role[1]) if role and not role[0].switch else said
    words += _arguments(waiting, wanted, made)
    ends: dict[str, list[str]] = {}
    for name, (flag, value) in wanted.items():
        missing.pop(name, None)
        place = words if flag.behind is None else ends.setdefault(flag.behind, [])
        place += flag.words(value)
    for flag in missing.values():
        if not flag.switch:
            made.doubts.append(f"--{flag.name} is required: replace {_UNKNOWN}")
        words += flag.words(_UNKNOWN)
    for option, said in ends.items():
        words += [*filter(None, [option]), *said]
    return words


def _arguments(
    waiting: Sequence[Flag], wanted: dict[str, tuple[Flag, str]], made: Command
) -> list[str]:
    """Return the positional words, up to the last required one."""
    words: list[str] = []
    said = 0
    for flag in waiting:
        mine = wanted.pop(plain(flag.name), None)
        if mine is None and flag.required:
            made.doubts.append(f"the argument {flag.name} is required: replace {_UNKNOWN}")
        default = _UNKNOWN if flag.default is None else str(flag.default)
        words.append(mine[1] if mine else default)
        if mine or flag.required:
            said = len(words)
    return words[:said]


def _start(launch: Launch, pieces: Sequence[tuple[Flag, str]], made: Command) -> list[str]:
    """Return the words up to the script; if numbers in its source vary, words that run the source with them replaced."""
    if not pieces or launch.script is None:
        return [*launch.before, *launch.name]
    made.notes.append(
        "It takes no learning rate from its command line, so the command runs its source with these texts replaced."
    )
    file = str(launch.script)
    folder = file.rpartition("/")[0]
    pairs = ", ".join(
        f"({flag.source!r}, {flag.form.replace('{}', value, 1)!r})" for flag, value in pieces
    )
    code = [
        *([f"import sys; sys.path.insert(0, {folder!r})"] * bool(folder)),
        f"__file__ = {file!r}; text = open(__file__).read()",
        f"for old, new in [{pairs}]:",
        "    assert text.count(old) == 1, old",
        "    text = text.replace(old, new)",
        "exec(compile(text, __file__, 'exec'))",
    ]
    interpreter = ["python3"] if launch.before[:1] == ("torchrun",) else launch.before[:1]
    launched = bool({"torchrun", "torch.distributed.run"} & set(launch.before))
    return [*launch.before, *["--no-python", *interpreter] * launched, "-c", "\n".join(code)]
