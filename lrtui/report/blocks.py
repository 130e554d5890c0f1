"""The report for people as a list of blocks, made from what `content` returned; `markdown` and `html` only dress it.

Text in blocks is plain: escaping is each dress's own business.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from lrtui.analysis.verdict import Noise
from lrtui.sweep.events import GroupKey
from lrtui.sweep.state import group_text
from lrtui.text.format import (
    amount,
    amount_about,
    count,
    duration,
    lr_interval,
    lr_range,
    lr_rounded,
    lr_text,
    number,
    plural,
    run_name,
    tolerance,
)


@dataclass(frozen=True, slots=True)
class Heading:
    """Begins a section."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict: what stands at the top of the page."""

    headline: str
    facts: tuple[tuple[str, str], ...]
    """(name, value), such as ("interval, 90 %", "2.6e-03..1.1e-02")."""
    provisional: bool


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A line of prose."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of statements."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; `marked` are the numbers of the rows that stand out."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    figures: frozenset[str] = frozenset()
    """Columns of numbers, by their heads."""
    marked: frozenset[int] = frozenset()
    below: str = ""
    """The column of sentences; a page has them below their rows, in full at every width."""


@dataclass(frozen=True, slots=True)
class Code:
    """Lines to copy."""

    label: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A place for one of `figures`' charts, by name; Markdown has none."""

    name: str
    caption: str


OWN = "the file's own"
"""The name of the setting that a study starts from, which has no values of its own."""
_OUTPUTS = 5
"""Runs whose output is shown; the cause is seldom another one."""

Block = Heading | Answer | Paragraph | Bullets | Table | Code | Chart


def document(made: dict[str, Any]) -> list[Block]:
    """Return the blocks of the report."""
    return [
        *_answer(made),
        *_groups(made),
        *_study(made),
        *_sensitivity(made),
        *_ranges(made),
        *_rungs(made),
        *_board(made),
        *_output(made),
        *_setup(made),
        *_again(made),
    ]


def title(made: dict[str, Any]) -> str:
    """Return what was trained, for how long, when and where; the experiment's name if nothing of it is known."""
    return " · ".join(made["title"]) or str(made["experiment"])


def setting_text(row: dict[str, Any]) -> str:
    """Return what a row's setting has besides its LR, in words."""
    values = tuple(row["values"].items())
    return group_text(GroupKey(row["optimizer"], row["schedule"], values))


def units(made: dict[str, Any]) -> str:
    """Return the plural of the plan's unit."""
    return plural(str(made["unit"]))


def shown(value: Any) -> str:
    """Return a number of the report; "" where there is none, words for non-finite ones."""
    if value is None:
        return ""
    return number(value) if isinstance(value, (int, float)) else str(value)


def span(ends: Any) -> str:
    """Return a range of LRs; "" where it has no two ends."""
    if not ends or any(not isinstance(end, (int, float)) for end in ends):
        return ""
    return lr_range(*ends)


def _interval(found: dict[str, Any]) -> str:
    """Return the interval of an answer; "" where it has none."""
    low, high = found["low"], found["high"]
    return "" if low is None or high is None else lr_interval(low, high, found["open"])


# ---------------------------------------------------------------- sections


def _answer(made: dict[str, Any]) -> list[Block]:
    found = made["verdict"]
    facts = [
        ("setting", setting_text(found) if len(made["groups"]) > 1 else ""),
        (
            ", ".join(
                filter(
                    None, ("the best LR", "90 %" * found["by_noise"], Noise(found["noise"]).words)
                )
            ),
            _interval(found),
        ),
        (_equal_name(found), _equal(found)),
        (f"{made['metric']}", _mean(found)),
        ("seeds", str(found["seeds"] or "")),
    ]
    blocks: list[Block] = [
        Answer(
            headline=_headline(made),
            facts=tuple(fact for fact in facts if fact[1]),
            provisional=found["provisional"] and found["lr"] is not None,
        ),
        Bullets(tuple(found["reasons"])),
    ]
    if found["not_tested"]:
        blocks.append(Paragraph(f"Not tested: {', '.join(found['not_tested'])}."))
    for label, key in (("In the experiment file", "toml"), ("In PyTorch", "torch")):
        if found["paste"][key]:
            blocks.append(Code(label, tuple(found["paste"][key])))
    return [*blocks, *(Code(label, (command,)) for label, command in made["next"])]


def _headline(made: dict[str, Any]) -> str:
    """Return the answer without its interval, or what happened instead."""
    found = made["verdict"]
    if found["lr"] is not None:
        beside = "".join(f", {name} = {value}" for name, value in found["axes"].items())
        return (
            f"{'so far: ' if found['provisional'] else ''}use lr = {lr_text(found['lr'])}{beside}"
        )
    return f"no answer: {made['no_answer']}" if made["no_answer"] else str(found["headline"])


def _equal_name(found: dict[str, Any]) -> str:
    return f"equal within {tolerance(found['within'])}" if found["within"] else "equal"


def _equal(found: dict[str, Any]) -> str:
    width = f" ({found['decades']:.1f} decades)" if found["decades"] is not None else ""
    return f"{text}{width}" if (text := span(found["equal"])) else ""


def _mean(row: dict[str, Any]) -> str:
    se = f" ± {_error(row)}" if _error(row) else ""
    return f"{shown(row['value'])}{se}"


def _error(row: dict[str, Any]) -> str:
    """Return a standard error; "" also if identical seeds make it 0."""
    return shown(row["se"] or None)


def _table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    figures: Collection[str] = (),
    marked: Collection[int] = (),
    below: str = "",
) -> Table:
    """Return a table without the columns that are empty in every row."""
    kept = [i for i, _ in enumerate(head) if not rows or any(row[i] for row in rows)]
    return Table(
        tuple(head[i] for i in kept),
        tuple(tuple(row[i] for i in kept) for row in rows),
        frozenset(figures),
        frozenset(marked),
        below,
    )


def _groups(made: dict[str, Any]) -> list[Block]:
    """Return one verdict for each combination of optimizer, schedule and values, the best first."""
    groups = made["groups"]
    if len(groups) < 2:
        return []
    metric = made["metric"]
    head = ("setting", "lr", "interval", "equal", metric, "seeds", units(made), "")
    rows = [
        (
            each["group"] or OWN,
            lr_text(each["lr"]) if each["lr"] else "-",
            _interval(each),
            span(each["equal"]),
            _mean(each),
            str(each["seeds"] or ""),
            amount_about(each["epochs_spent"]),
            "so far" if each["provisional"] else "",
        )
        for each in groups
    ]
    best = next((i for i, each in enumerate(groups) if each["lr"] == made["verdict"]["lr"]
                 and each["group"] == made["verdict"]["group"]), None)  # fmt: skip
    marked = frozenset() if best is None or made["verdict"]["lr"] is None else frozenset({best})
    blocks: list[Block] = [
        Heading("Verdict for each setting"),
        _table(head, rows, {metric, "seeds", units(made)}, marked),
    ]
    blocks += [
        Paragraph(f"{each['group'] or OWN}: {'; '.join(each['reasons'])}.")
        for each in groups
        if each["lr"] is None and each["reasons"]
    ]
    return blocks


def _study(made: dict[str, Any]) -> list[Block]:
    if not made["study"]:
        return []
    blocks: list[Block] = [Heading("Study: how the best learning rate moves")]
    if any(level["lr"] is not None for factor in made["study"] for level in factor["levels"]):
        blocks.append(
            Chart("study", "The best learning rate (LR*) of each level, with its interval")
        )
    for factor in made["study"]:
        batches = any(level["linear"] is not None for level in factor["levels"])
        rules = ("linear rule", "square-root rule") if batches else ()
        head = (factor["name"], "LR*", "interval", made["metric"], *rules)
        rows = []
        for level in factor["levels"]:
            own = " (the experiment's own)" if level["base"] else ""
            reach = level["range"] or level["why"]
            row = (f"{level['text']}{own}", _two(level["lr"]), reach, shown(level["value"]))
            ruled = (_two(level["linear"]), _two(level["root"])) if batches else ()
            rows.append((*row, *ruled))
        trend, *notes = factor["remarks"]
        blocks += [
            Heading(trend, 3),
            _table(head, rows, head[1:]),
            Bullets(tuple(notes)),
        ]
    return blocks


def _two(lr: Any) -> str:
    return lr_rounded(lr) if isinstance(lr, (int, float)) else ""


def _sensitivity(made: dict[str, Any]) -> list[Block]:
    """Return the result of each LR: of several groups as a table of LR x setting."""
    order = [each["group"] for each in made["groups"]]
    groups = [each for each in made["sensitivity"] if each["points"]]
    groups.sort(key=lambda each: order.index(each["group"]))
    if all(point["mean"] is None for each in groups for point in each["points"]):
        return []
    caption = f"{made['metric']} against the learning rate"
    if made["maps"]:
        beside = " and ".join(dict.fromkeys(each["axis"] for each in made["maps"]))
        caption = f"Predicted {made['metric']} over the learning rate and {beside}"
    blocks: list[Block] = [
        Heading("Sensitivity to the learning rate"),
        Chart("sensitivity", caption),
    ]
    if len(groups) > 1:
        lrs = sorted({point["lr"] for each in groups for point in each["points"]})
        cells = [{point["lr"]: point for point in each["points"]} for each in groups]
        rows = [
            (lr_text(lr), *(_cell(made, column[lr]) if lr in column else "" for column in cells))
            for lr in lrs
        ]
        head = ("lr", *(each["group"] or OWN for each in groups))
        return [*blocks, _table(head, rows, head[1:])]
    metric = made["metric"]
    axes = list(dict.fromkeys(name for point in groups[0]["points"] for name in point["axes"]))
    rows = [
        (
            lr_text(point["lr"]),
            *(f"{point['axes'][name]:g}" if name in point["axes"] else "" for name in axes),
            shown(point["mean"]),
            _error(point),
            str(point["seeds"] or ""),
            "" if point["level"] is None else amount(point["level"]),
            _loss(made, point),
            point["dead"] or point["state"],
            " ".join(point["runs"]),
        )
        for point in groups[0]["points"]
    ]
    head = ("lr", *axes, metric, "± se", "seeds", f"at {made['unit']}", "val_loss", "state", "runs")
    best = [
        i for i, point in enumerate(groups[0]["points"]) if point["runs"] == made["verdict"]["runs"]
    ]
    return [*blocks, _table(head, rows, head[1:-2], best)]


def _loss(made: dict[str, Any], row: dict[str, Any]) -> str:
    """Return the validation loss; "" if it is the metric itself."""
    return "" if made["metric"] == "val_loss" else shown(row["val_loss"])


def _cell(made: dict[str, Any], point: dict[str, Any]) -> str:
    if point["dead"]:
        return point["dead"]  # type: ignore[no-any-return]
    if point["mean"] is None:
        return point["state"]  # type: ignore[no-any-return]
    se = f" ± {_error(point)}" if _error(point) else ""
    short = "" if point["full"] else f" ({made['unit']} {amount(point['level'])})"
    return f"{shown(point['mean'])}{se}{short}"


def _ranges(made: dict[str, Any]) -> list[Block]:
    if not made["ranges"]:
        return []
    head = ("test", "setting", "from..to", "valley", "steep", "minimum / 10", "slide", "diverged at", "why")  # fmt: skip
    rows = [
        (
            each["run"],
            each["group"],
            f"{lr_text(each['from'])}..{lr_text(each['to']) if each['to'] else ''}, {each['steps']} steps",
            *(_two(each[rule]) for rule in ("valley", "steep", "minimum", "slide")),
            _two(each["diverged"]) or "-",
            each["why"] if each["valley"] is None else "",
        )
        for each in made["ranges"]
    ]
    return [
        Heading("Range test"),
        Paragraph(
            "A range test is a bracket, not an answer: the search starts from the valley, 1.5 decades to each side. The other "
            "rules are shown for comparison."
        ),
        Chart("ranges", "Loss against the learning rate while it was raised step by step"),
        _table(head, rows, head[3:8], below="why"),
    ]


def _rungs(made: dict[str, Any]) -> list[Block]:
    if not made["rungs"]:
        return []
    blocks: list[Block] = [
        Heading("Rungs: which runs continued, and why"),
        Paragraph(
            "All learning rates of a setting are compared at the same length of training; the best continue, from their checkpoints "
            "if they have any."
        ),
    ]
    many = len(made["groups"]) > 1
    metric = made["metric"]
    for rung in made["rungs"]:
        where = f"{made['unit']} {amount(rung['level'])}"
        whose = f", {rung['group']}" if many and rung["group"] else ""
        cut = "" if rung["cut"] is None else f"; cut {shown(rung['cut'])}"
        rows = [
            (lr_text(each["lr"]), each["run"], shown(each["value"]), each["fate"], each["why"])
            for each in rung["runs"]
        ]
        kept = frozenset(i for i, each in enumerate(rung["runs"]) if each["fate"] == "kept")
        head = ("lr", "run", metric, "result", "why")
        blocks += [
            Heading(f"At {where}{whose}: {rung['why'] or 'decided'}{cut}", 3),
            _table(head, rows, {metric}, kept, below="why"),
        ]
    return blocks


def _board(made: dict[str, Any]) -> list[Block]:
    rows = made["leaderboard"]
    blocks: list[Block] = [Heading("Leaderboard")]
    if not rows:
        return [*blocks, Paragraph("No run was started.")]
    if any(each["metric"] == made["metric"] for each in made["curves"]):
        blocks.append(Chart("curves", f"{made['metric']} over {units(made)}"))
    tests = sorted({name for row in rows for name in row["test"]})
    settings = [setting_text(row) for row in rows]
    named = len(set(settings)) > 1
    head = ("#", "run", "lr", *(("setting",) if named else ()), "state", made["metric"])
    head += ("± se", f"at {made['unit']}", "val_loss", *tests, "why")
    cells = [
        (
            str(row["rank"]),
            " ".join(row["runs"]),
            lr_text(float(row["lr"])),
            *((setting,) if named else ()),
            row["kind"] or row["state"],
            shown(row["value"]),
            _error(row),
            "" if row["at"] is None else f"{amount(row['at'])}",
            _loss(made, row),
            *(shown(row["test"].get(name)) for name in tests),
            row["why"],
        )
        for row, setting in zip(rows, settings, strict=True)
    ]
    best = [i for i, row in enumerate(rows) if set(row["runs"]) & set(made["verdict"]["runs"])]
    figures = {"#", made["metric"], "± se", f"at {made['unit']}", "val_loss", *tests}
    if made["leaderboard_note"]:
        blocks.append(Paragraph(made["leaderboard_note"]))
    blocks.append(_table(head, cells, figures, best, below="why"))
    if any(row["value"] is not None for row in rows):
        words = "Settings are compared at equal lengths of training only: the value is the one at the length beside it."
        never = " Test metrics are reported at that length and never selected on." if tests else ""
        blocks.append(Paragraph(words + never))
    return blocks


def _output(made: dict[str, Any]) -> list[Block]:
    """Return what the output of failed runs says, and what looked like measurements in that of others; the same output once."""
    told = list(
        {tuple(run["output"]): run for run in reversed(made["runs"]) if run["output"]}.values()
    )[::-1]
    if not told:
        return []
    left = len(told) - _OUTPUTS
    return [
        Heading("Output"),
        *(
            Code(f"{run_name(run['run'], run['lr'])} {run['state']}", tuple(run["output"]))
            for run in told[:_OUTPUTS]
        ),
        *([Paragraph(f"And {count(left, 'more run')}: lrtui explain.")] if left > 0 else []),
    ]


def _setup(made: dict[str, Any]) -> list[Block]:
    settings = {**made["settings"], "seeds used": ", ".join(map(str, made["seeds"])) or "-"}
    budget = made["budget"]
    if budget["spent"]:
        settings["spent"] = (
            f"{amount_about(budget['spent'])} {units(made)}, {duration(budget['seconds'])} of training"
        )
    if budget["limit"] is not None:
        settings["budget"] = f"{amount(budget['limit'])} {units(made)}"
    if budget["limit_seconds"] is not None:
        settings["budget"] = f"{duration(budget['limit_seconds'])} of training"
    if len(made["groups"]) == 1:
        settings = {"setting": made["groups"][0]["group"], **settings}
    settings = {"experiment": made["experiment"], **settings}
    if made["closed"] is not None:
        settings["ended"] = f"exit code {made['closed']['code']}: {made['closed']['why']}"
    blocks: list[Block] = [
        Heading("Settings"),
        _pairs(settings),
        Heading("Data"),
        _pairs(made["data"]),
    ]
    if made["warnings"]:
        blocks += [Heading("Warnings"), Bullets(tuple(made["warnings"]))]
    return blocks


def _pairs(given: dict[str, Any]) -> Table:
    rows = [(str(key), _said(value)) for key, value in given.items() if value != ""]
    return Table(("", ""), tuple(rows))


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return amount(value) if isinstance(value, float) else str(value)


def _again(made: dict[str, Any]) -> list[Block]:
    blocks: list[Block] = [
        Heading("How to reproduce it"),
        Code("Run the same sweep again", tuple(made["reproduce"])),
    ]
    if made["experiment_file"]:
        blocks.append(
            Code("The experiment file that the runs used", tuple(made["experiment_file"]))
        )
    versions = ", ".join(f"{name} {text}" for name, text in made["versions"].items())
    ran = {"program": "program", "git": "git commit", "script_crc32": "script CRC-32", "environment_crc32": "environment CRC-32"}  # fmt: skip
    told = ", ".join(f"{words} {made['ran_with'][key]}" for key, words in ran.items() if key in made["ran_with"])  # fmt: skip
    if told:
        blocks.append(Paragraph(f"The runs used: {told}."))
    blocks.append(
        Paragraph(f"Versions where this was written: {versions}. Written {made['written']}.")
    )
    return blocks
