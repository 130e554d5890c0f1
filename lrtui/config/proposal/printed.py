r"""What a script prints, from the format strings in its source, and patterns for `parse` that are made of them.

`print(f"step {i}: val loss {loss:.4f}")` becomes the pieces "step ", i, ": val loss ", loss; numbers are named by the words before
them, and the pattern is `step (?P<step>\d+): val loss (?P<val_loss>\S+)`.
"""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

from lrtui.config.proposal.frameworks import bar_report, framework_report
from lrtui.config.proposal.python_source import (
    FUNCTIONS,
    Module,
    assigned,
    dotted,
    imports,
    last,
    value_of,
    within,
)
from lrtui.config.proposal.reported import LARGER, SMALLER, SPLITS, Report, decider
from lrtui.metrics.capture.positions import NAMES
from lrtui.metrics.capture.presets import PRESETS
from lrtui.sweep.events import Unit
from lrtui.text.clean import runaway

_REPORTS = re.compile(
    r"\w*print\w*|info|warning|critical|echo|secho|log_?0|set_description(?:_str)?|set_postfix_str|log_line|log_message"
    r"|progress_?bar|(?:.*\.)?(?:stdout|stderr|tqdm|bar|pbar)\.write"
)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_@]*")
_PERCENT = re.compile(
    r"%(?:\((?P<name>\w+)\))?(?P<spec>[-+ #0]*[\d*]*(?:\.\d+)?[diouxXeEfFgGcrsa%])"
)
_SAME = {"accuracy": "acc", "perplexity": "ppl", "losses": "loss"}
_FILLERS = frozenset(
    [
        "average",
        "avg",
        "mean",
        "total",
        "running",
        "current",
        "the",
        "of",
        "per",
        "final",
        "epoch",
        "batch",
        "step",
        "this",
        "set",
    ]
)
_BATCHES = frozenset({"batch", "batches", "step", "iter", "iteration", "it", "i", "idx"})
_WHOLE_NAMES = re.compile(
    r"(?:^|_)(?:epochs?|steps?|iter\w*|batch\w*|idx|i|n|num|correct|len|total|count|size)(?:_|$)"
)
_FEWEST_WORDS = 3


@dataclass(frozen=True, slots=True)
class Shown:
    """A value in a format string."""

    text: str
    """The expression."""
    spec: str = ""
    plus: int = 0
    """What is added to a name: 1 in `epoch + 1`."""


Piece = str | Shown


@dataclass(frozen=True, slots=True)
class Value:
    """A number in a line that has a meaning."""

    name: str
    """What it is called in a pattern: a metric, the unit, batch or batches."""
    at: int
    """Its piece."""
    shown: Shown
    counted_at: int = 0
    """The piece of the count whose percentage it is; 0 if it is not a percentage of a count."""


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of line."""

    pieces: tuple[Piece, ...]
    values: tuple[Value, ...]
    order: int

    def has(self, *names: str) -> bool:
        """Return whether one of these is in it."""
        return any(value.name in names for value in self.values)

    @property
    def metrics(self) -> list[str]:
        """Its numbers other than positions."""
        return [value.name for value in self.values if value.name not in _POSITIONS]


_POSITIONS = frozenset({"epoch", "step", "tokens", "batch", "batches"})


def report_of(modules: Sequence[Module], unit: Unit | None = None) -> Report:
    """Return how a script reports; an empty Report if no metric was found. `unit` is the unit of its length."""
    lines = [line for module in modules for line in _lines(module)]
    if known := framework_report(modules):
        return known
    text = "\n".join(module.text for module in modules)
    named = preset_of(lines, text, imports(modules[:1]))
    names = list(dict.fromkeys(name for line in lines for name in line.metrics))
    if named:
        given = [name for name in PRESETS[named].names if "@" not in name or name in text]
        names = given or names
    metric = next((f"max {each}" for each in ("Acc@1", "Prec@1") if each in names), decider(names))
    if not metric:
        return bar_report(modules) or Report()
    name = metric.partition(" ")[2]
    trained = [each for each in names if each.startswith("train_")]
    losses = ("train_loss", "loss", "val_loss", *[*trained, name] * metric.startswith("min"))
    loss = next((each for each in losses if each in names), "")
    if named:
        return Report(metric, loss, (named,), unit or ("step" if named == "nanogpt" else "epoch"))
    chosen = _chosen(lines, name, loss, unit)
    loss = loss if any(line.has(loss) for line in chosen) else ""
    found: Unit | None = next(
        (each for each in _units(unit) if any(line.has(each) for line in chosen)), None
    )
    patterns = tuple(
        dict.fromkeys(pattern for line in chosen if (pattern := pattern_of(line, found)))
    )
    doubt = _doubt(lines, chosen, patterns, name)
    return Report(metric, loss, patterns, found, _first(chosen, found, modules), doubt=doubt)


def _units(unit: Unit | None) -> tuple[Unit, ...]:
    every: tuple[Unit, ...] = ("epoch", "step", "tokens")
    return tuple(sorted(every, key=lambda each: each != unit))


def preset_of(lines: Sequence[Line], text: str, used: Container[str]) -> str:
    """Return the preset whose rules read lines like these; "" if none is made for them."""
    if "Acc@1" in text and "timm" in used and "Train: {" in text:
        return "timm"
    if re.search(r"(?:Acc|Prec)@1", text) and re.search(r"Epoch: \[(?:\{|%)", text):
        return "imagenet"
    samples = [sample(line) for line in lines]
    for name in ("mnist", "nanogpt"):
        if all(
            any(re.search(rule.pattern, each) for each in samples) for rule in PRESETS[name].rules
        ):
            return name
    return ""


def sample(line: Line) -> str:
    """Return a line as it may be printed."""
    whole = {value.at for value in line.values if value.name in _POSITIONS}
    whole |= {
        value.counted_at + more for value in line.values if value.counted_at for more in (0, 2)
    }
    texts = (
        piece if isinstance(piece, str) else "1" if at in whole or _is_whole(piece) else "0.4321"
        for at, piece in enumerate(line.pieces)
    )
    return "".join(texts).strip("\n")


def _is_whole(shown: Shown) -> bool:
    if re.search(r"[efgEFG%]$", shown.spec):
        return False
    return shown.spec.endswith("d") or bool(_WHOLE_NAMES.search(last(shown.text).lower()))


def _lines(module: Module) -> Iterator[Line]:
    """Yield the lines that a module prints and that have a number with a name."""
    for body, context in _scopes(module.tree):
        nodes = list(within(body))
        statements = [node for node in nodes if isinstance(node, ast.Assign)]
        texts = {name: value for name, value in assigned(statements) if _is_text(value)}
        for node in nodes:
            if not isinstance(node, ast.Call):
                continue
            called = dotted(node.func) or _attribute(node)
            if not _REPORTS.fullmatch(last(called)) and not _REPORTS.fullmatch(called):
                continue
            pieces = _joined(_printed(node, texts))
            values = _values(pieces, context)
            if values:
                yield Line(tuple(pieces), tuple(values), node.lineno)


def _attribute(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def _scopes(tree: ast.Module) -> Iterator[tuple[list[ast.stmt], str]]:
    yield tree.body, ""
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS):
            yield node.body, node.name


def _is_text(node: ast.expr) -> bool:
    return any(isinstance(piece, str) and piece.strip() for piece in _pieces(node, {}))


def _printed(call: ast.Call, texts: dict[str, ast.expr]) -> Iterator[Piece]:
    arguments = [each for each in call.args if not isinstance(each, ast.Starred)]
    name = last(dotted(call.func) or _attribute(call))
    if name in {"info", "warning", "critical"} and len(arguments) > 1:
        text = "".join(piece for piece in _pieces(arguments[0], texts) if isinstance(piece, str))
        yield from _percent(text, arguments[1:], {})
        return
    for place, argument in enumerate(arguments):
        if place:
            yield " "
        yield from _pieces(argument, texts)


def _pieces(node: ast.expr, texts: dict[str, ast.expr]) -> Iterator[Piece]:
    """Yield the pieces of a value that is printed."""
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr(values=values):
            for each in values:
                yield from _pieces(each, texts)
        case ast.FormattedValue(value=value, format_spec=spec):
            yield _shown(value, "".join(map(str, _pieces(spec, {}))) if spec else "")
        case ast.BinOp(left=left, op=ast.Add(), right=right) if _has_text(left) or _has_text(right):
            yield from _pieces(left, texts)
            yield from _pieces(right, texts)
        case ast.BinOp(left=left, op=ast.Mod(), right=right) if _has_text(left):
            text = "".join(piece for piece in _pieces(left, texts) if isinstance(piece, str))
            yield from _percent(
                text, right.elts if isinstance(right, ast.Tuple) else [right], texts
            )
        case ast.Call(func=ast.Attribute(value=text_node, attr="format")):
            text = "".join(piece for piece in _pieces(text_node, texts) if isinstance(piece, str))
            yield from _formatted(text, node)
        case ast.Call(
            func=ast.Name(id="str" | "repr" | "round" | "float" | "int"), args=[first, *_]
        ):
            yield _shown(first, "")
        case ast.Name(id=name) if name in texts:
            yield from _pieces(texts[name], {})
        case _:
            yield _shown(node, "")


def _has_text(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=str()) | ast.JoinedStr():
            return True
        case ast.BinOp(left=left, right=right):
            return _has_text(left) or _has_text(right)
        case ast.Call(func=ast.Attribute(value=value, attr="format")):
            return _has_text(value)
        case ast.Call(func=ast.Name(id="str")):
            return True
    return False


def _percent(text: str, values: Sequence[ast.expr], texts: dict[str, ast.expr]) -> Iterator[Piece]:
    waiting, end = list(values), 0
    for match in _PERCENT.finditer(text):
        yield text[end : match.start()]
        end = match.end()
        if match["spec"] == "%":
            yield "%"
            continue
        value = waiting.pop(0) if waiting else ast.Name(match["name"] or "")
        inner = (
            list(_pieces(value, texts)) if match["spec"] == "s" else [_shown(value, match["spec"])]
        )
        yield from inner
    yield text[end:]


def _formatted(text: str, call: ast.Call) -> Iterator[Piece]:
    """Yield the pieces of `text.format(...)`."""
    named = {each.arg: each.value for each in call.keywords if each.arg}
    place = 0
    try:
        fields = list(string.Formatter().parse(text))
    except ValueError:
        return
    for before, name, spec, _ in fields:
        yield before
        if name is None:
            continue
        key = re.split(r"[.\[]", name)[0]
        number = int(key) if key.isdecimal() and len(key) < 4 else place
        place += not key
        value = named.get(key) or (call.args[number] if number < len(call.args) else None)
        yield _shown(value, spec or "") if value is not None else Shown(name, spec or "")


def _shown(node: ast.expr, spec: str) -> Shown:
    """Return a value with the name in it: `loss.item() * n` is loss."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        plus = value_of(node.right, {})
        if isinstance(plus, int):
            return Shown(dotted(node.left), spec, plus)
    names = [
        text
        for each in ast.walk(node)
        if isinstance(each, (ast.Name, ast.Attribute))
        and (text := dotted(each).removesuffix(".item").removesuffix(".avg").removesuffix(".val"))
    ]
    keys = [
        each.slice.value
        for each in ast.walk(node)
        if isinstance(each, ast.Subscript)
        and isinstance(each.slice, ast.Constant)
        and isinstance(each.slice.value, str)
    ]
    return Shown((keys or names or [""])[0], spec)


def _joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Return pieces in which texts never follow each other; only the last line that has a value counts."""
    joined: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        elif piece != "":
            joined.append(piece)
    return joined


def _values(pieces: Sequence[Piece], context: str) -> list[Value]:
    """Return the numbers of a line that are a position or a metric."""
    labels = [
        pieces[at - 1] if at and isinstance(pieces[at - 1], str) else ""
        for at in range(len(pieces))
    ]
    words = {
        at: _WORD.findall(str(labels[at]).rpartition("\n")[2])[-_FEWEST_WORDS:]
        for at in range(len(pieces))
    }
    shown = {at: piece for at, piece in enumerate(pieces) if isinstance(piece, Shown)}
    told = any(
        _split(words[at]) and not _position(words[at], piece, str(labels[at]))
        for at, piece in shown.items()
    )
    text = " ".join(piece for piece in pieces if isinstance(piece, str))
    around = "" if told else _split(_WORD.findall(text)) or _split([context]).replace("train", "")
    found: list[Value] = []
    for at, piece in shown.items():
        before = next((each for each in found if each.at == at - 2), None)
        if str(labels[at]).strip() == "/" and at - 2 in shown:
            if (before is None or before.name == "step") and any(
                each.name == "epoch" for each in found
            ):
                found = [each for each in found if each is not before]
                found.append(Value("batch", at - 2, shown[at - 2]))
                found.append(Value("batches", at, piece))
            continue
        name = _position(words[at], piece, str(labels[at])) or _metric(
            words[at], piece, around, str(labels[at])
        )
        if name:
            found.append(Value(name, at, piece))
    return _percentages(list({each.name: each for each in reversed(found)}.values())[::-1], pieces)


def _percentages(found: list[Value], pieces: Sequence[Piece]) -> list[Value]:
    """Return values with a count replaced by its percentage: of "Accuracy: 9815/10000 (98%)" it is 98."""
    best: list[Value] = []
    for value in found:
        after = pieces[value.at + 1 : value.at + 6]
        texts = [piece.strip() if isinstance(piece, str) else "#" for piece in after]
        if (
            texts[:1] == ["/"]
            and len(texts) >= 4
            and texts[2].startswith("(")
            and texts[3:4] == ["#"]
        ):
            shown = after[3]
            if isinstance(shown, Shown) and value.name not in _POSITIONS:
                best.append(Value(value.name, value.at + 4, shown, value.at))
                continue
        best.append(value)
    return best


def _split(words: Iterable[str]) -> str:
    found = {SPLITS[part] for word in words for part in word.lower().split("_") if part in SPLITS}
    return found.pop() if len(found) == 1 else ""


def _is_split(word: str) -> bool:
    return word.lower() in SPLITS


def _position(words: Sequence[str], shown: Shown, label: str) -> str:
    """Return the unit of a number; "" if it has none."""
    close = words[-1].lower() if words else ""
    own = last(shown.text).lower()
    joined = "_".join(words[-2:]).lower()
    if re.search(r"[efgEFG%]$", shown.spec) or label.strip() == "/":
        return ""
    for unit in ("epoch", "step", "tokens"):
        names = NAMES[unit]
        if close in names or joined in names or (all(map(_is_split, words)) and own in names):
            return unit
    return ""


def _metric(words: Sequence[str], shown: Shown, around: str, label: str) -> str:
    """Return the name of a number that is a metric; "" for any other."""
    if "(" in label.strip()[-1:] and not words:
        return ""
    parts = [part for word in words for part in word.lower().split("_")]
    own = last(shown.text).lower().split("_")
    labelled = bool(
        set(words and [words[-1].lower(), *words[-1].lower().split("_")]) & (LARGER | SMALLER)
    )
    if not labelled:
        if words or not set(own) & (LARGER | SMALLER):
            return ""
        parts = own
    split = _split(parts) or around
    kept = [_SAME.get(part, part) for part in parts if part not in SPLITS and part not in _FILLERS]
    quantity = next(
        place for place in range(len(kept) - 1, -1, -1) if kept[place] in LARGER | SMALLER
    )
    kept = kept[max(0, quantity - 1) : quantity + 1]
    if len(kept) > 1 and (kept[0] in LARGER | SMALLER or len(kept[0]) < 2):
        kept = kept[1:]
    name = re.sub(r"\W", "_", "_".join(([split] if split else []) + kept))
    return "train_loss" if name == "loss" else name


def _chosen(lines: Sequence[Line], metric: str, loss: str, unit: Unit | None) -> list[Line]:
    """Return the lines that are read: one with the metric, one with the position, one with the loss."""
    places = (unit,) if unit and any(line.has(unit) for line in lines) else _units(unit)
    placed = [line for line in lines if line.has(*places)]
    deciding = [line for line in lines if line.has(metric)]
    first = min(deciding, key=lambda line: (_is_of_a_part(line), line not in placed))
    chosen = [first]
    losses = [line for line in placed if line.has(loss)]
    if not first.has(loss) and losses:
        chosen.append(losses[0])
    if not any(line in placed for line in chosen):
        chosen += placed[:1]
    return sorted(chosen, key=lambda line: not line.has(*places))


def _is_of_a_part(line: Line) -> bool:
    """Return whether a line shows the progress within an epoch or an evaluation: `[10/391]`."""
    counts = (
        _label(line.pieces, at).rstrip().endswith(("[", "("))
        for at, piece in enumerate(line.pieces[:-1])
        if isinstance(piece, Shown) and str(line.pieces[at + 1]).strip() == "/"
    )
    return line.has("batch") or any(counts)


def _doubt(
    lines: Sequence[Line], chosen: Sequence[Line], patterns: Sequence[str], metric: str
) -> str:
    """Return a note if other lines would be read as the metric's."""
    reading = [pattern for pattern in patterns if f"(?P<{metric}>" in pattern]
    for line in lines:
        if line in chosen or line.has(metric) or not line.metrics:
            continue
        if any(re.search(pattern, sample(line)) for pattern in reading):
            return (
                f"another line reads like that of {metric} ({', '.join(line.metrics)}), and is taken for it: "
                f"print {metric} once more after each evaluation, in words of its own"
            )
    return ""


def pattern_of(line: Line, unit: Unit | None) -> str:
    """Return a regular expression that reads a line; "" if it would not read what the line prints."""
    others = _POSITIONS - {unit} - ({"batch", "batches"} if unit == "epoch" else set())
    parts: list[str] = []
    previous: Value | None = None
    for value in (value for value in line.values if value.name not in others):
        begin = value.counted_at or value.at
        near = previous is not None and begin - previous.at <= 2
        label = _label(line.pieces, begin)
        parts.append("" if near or previous is None else ".*?")
        parts.append(_literal(label if near else _end_of(label), value.shown))
        if value.counted_at:
            parts.append(".*?" + _literal(_label(line.pieces, value.at), value.shown))
        parts.append(f"(?P<{value.name}>{_number(value, line)})")
        previous = value
    pattern = "".join(parts)
    try:
        reads = bool(re.search(pattern, sample(line)))
    except re.error:
        return ""
    return pattern if reads and not runaway(pattern) else ""


def _label(pieces: Sequence[Piece], at: int) -> str:
    """Return the text in front of a value."""
    label = pieces[at - 1] if at else ""
    return label if isinstance(label, str) else ""


def _end_of(label: str) -> str:
    """Return the last words of a label and all text after them."""
    label = label.rpartition("\n")[2]
    words = list(_WORD.finditer(label))[-_FEWEST_WORDS:]
    return label[words[0].start() :] if words else label.lstrip()


def _literal(label: str, shown: Shown) -> str:
    """Return a label as a pattern whose white space matches any white space."""
    label = label.replace("\n", " ")
    padded = bool(re.match(r"[ >]?\d", shown.spec)) and not re.match(r"0\d", shown.spec)
    words = re.split(r"(\s+)", label)
    text = "".join(r"\s+" if word.isspace() and word != " " else _escaped(word) for word in words)
    return text + ("*" if text.endswith(" ") else " *") if padded else text


def _escaped(text: str) -> str:
    return re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", text)


def _number(value: Value, line: Line) -> str:
    if value.name in _POSITIONS:
        return r"\d+"
    after = line.pieces[value.at + 1] if value.at + 1 < len(line.pieces) else ""
    alone = isinstance(after, str) and re.match(r"[%,;:)\]}|]*(?:\s|$)", after)
    return r"\S+" if alone else r"[-+.\w]+"


def _first(lines: Sequence[Line], unit: Unit | None, modules: Sequence[Module]) -> int | None:
    """Return the first number of the epochs that a script prints; None if its loop does not say."""
    if unit != "epoch":
        return None
    shown = {
        (value.shown.text, value.shown.plus)
        for line in lines
        for value in line.values
        if value.name == unit
    }
    if len(shown) != 1:
        return None
    name, plus = shown.pop()
    starts = {
        start
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.For) and (start := _start(node, name)) is not None
    }
    first = starts.pop() + plus if len(starts) == 1 else None
    return first if first in {0, 1} else None


def _start(loop: ast.For, name: str) -> int | None:
    """Return the first value of a loop over a range whose variable has this name."""
    ranges = [
        each
        for each in ast.walk(loop.iter)
        if isinstance(each, ast.Call) and last(dotted(each.func)) in {"range", "trange"}
    ]
    if not ranges or dotted(loop.target) != name:
        return None
    start = value_of(ranges[0].args[0], {}) if len(ranges[0].args) > 1 else 0
    return start if isinstance(start, int) else None
