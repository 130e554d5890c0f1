"""The report for people as a list of blocks, from what `content` returned."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from lrtui.report.blocks import Answer, Block, Bullets, Chart, Code, Heading, Paragraph, Table
from lrtui.report.json_form import plain, word
from lrtui.report.model import Point, Report, Row, Verdict
from lrtui.sweep.events import GroupKey, Scalar
from lrtui.sweep.state import group_text
from lrtui.text.format import (
    amount,
    amount_about,
    count,
    decades,
    duration,
    lr_interval,
    lr_range,
    lr_rounded,
    lr_text,
    number,
    plural,
    run_name,
    setting_value,
    tolerance,
)

OWN = "the file's own"
"""The name of the setting that a study starts from, which has no values of its own."""
_OUTPUTS = 5
"""At most this many runs' outputs are shown; other runs seldom have another cause."""


def document(made: Report) -> list[Block]:
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


def title(made: Report) -> str:
    """Return what was trained, for how long, when and where; the experiment's name if nothing of it is known."""
    return " · ".join(made.title) or made.experiment


def setting_text(row: Verdict | Row) -> str:
    """Return the parts of a row's setting besides its LR, as text."""
    return group_text(GroupKey(row.optimizer, row.schedule, tuple(row.values.items())))


def units(made: Report) -> str:
    """Return the plural of the plan's unit."""
    return plural(made.unit)


def shown(value: float | None) -> str:
    """Return a number of the report; "" if there is none, words for non-finite ones."""
    if value is None:
        return ""
    return number(value) if math.isfinite(value) else str(word(value))


def span(ends: tuple[float, float] | None) -> str:
    """Return a range of LRs; "" if it has no two ends."""
    return lr_range(*ends) if ends and all(map(math.isfinite, ends)) else ""


def _interval(found: Verdict) -> str:
    """Return the interval of an answer; "" if it has none."""
    if found.low is None or found.high is None:
        return ""
    return lr_interval(found.low, found.high, found.open)


# ---------------------------------------------------------------- sections


def _answer(made: Report) -> list[Block]:
    found = made.verdict
    facts = [
        ("setting", setting_text(found) if len(made.groups) > 1 else ""),
        (
            ", ".join(filter(None, ("the best LR", "90 %" * found.by_noise, found.noise.words))),
            _interval(found),
        ),
        (_equal_name(found), _equal(found)),
        (made.metric, _mean(found)),
        ("seeds", str(found.seeds or "")),
    ]
    blocks: list[Block] = [
        Answer(
            headline=_headline(made),
            facts=tuple(fact for fact in facts if fact[1]),
            provisional=found.provisional and found.lr is not None,
            failed=bool(made.no_answer),
        ),
        *([Code("What to do", made.remedy)] if made.remedy else []),
        Bullets(found.reasons),
    ]
    if found.not_tested:
        blocks.append(Paragraph(f"Not tested: {', '.join(found.not_tested)}."))
    pasted = (("In the experiment file", found.paste.toml), ("In PyTorch", found.paste.torch))
    blocks += [Code(label, lines) for label, lines in pasted if lines]
    return [*blocks, *(Code(label, (command,)) for label, command in made.next)]


def _headline(made: Report) -> str:
    """Return the answer without its interval, or why there is none."""
    found = made.verdict
    if found.lr is not None:
        beside = "".join(f", {name} = {value}" for name, value in found.axes.items())
        return f"{'so far: ' if found.provisional else ''}use lr = {lr_text(found.lr)}{beside}"
    return f"no answer: {made.no_answer}" if made.no_answer else found.headline


def _equal_name(found: Verdict) -> str:
    return f"equal within {tolerance(found.within)}" if found.within else "equal"


def _equal(found: Verdict) -> str:
    width = f" ({decades(found.decades)} decades)" if found.decades is not None else ""
    return f"{text}{width}" if (text := span(found.equal)) else ""


def _mean(row: Verdict) -> str:
    se = f" ± {_error(row)}" if _error(row) else ""
    return f"{shown(row.value)}{se}"


def _error(row: Verdict | Row | Point) -> str:
    """Return a standard error; "" also if identical seeds make it 0."""
    return shown(row.se or None)


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


def _differences(groups: Sequence[str]) -> dict[str, str]:
    """Return for each group the words that not all of them share: the columns of a table have little room."""
    words = {group: group.split(", ") for group in groups}
    shared = set[str]().union(*words.values()).intersection(*words.values())
    return {
        group: ", ".join(word for word in each if word not in shared) or OWN
        for group, each in words.items()
    }


def _groups(made: Report) -> list[Block]:
    """Return one verdict for each combination of optimizer, schedule and values, the best first."""
    groups = made.groups
    if len(groups) < 2:
        return []
    metric, names = made.metric, _differences([each.group for each in groups])
    head = ("setting", "lr", "interval", "equal", metric, "seeds", units(made), "")
    rows = [
        (
            names[each.group],
            lr_text(each.lr) if each.lr else "-",
            _interval(each),
            span(each.equal),
            _mean(each),
            str(each.seeds or ""),
            amount_about(each.epochs_spent),
            "so far" if each.provisional else "",
        )
        for each in groups
    ]
    best = next((i for i, each in enumerate(groups) if each.lr == made.verdict.lr
                 and each.group == made.verdict.group), None)  # fmt: skip
    marked = frozenset() if best is None or made.verdict.lr is None else frozenset({best})
    blocks: list[Block] = [
        Heading("Verdict for each setting"),
        _table(head, rows, {metric, "seeds", units(made)}, marked),
    ]
    blocks += [
        Paragraph(f"{each.group or OWN}: {'; '.join(each.reasons)}.")
        for each in groups
        if each.lr is None and each.reasons
    ]
    return blocks


def _study(made: Report) -> list[Block]:
    if not made.study:
        return []
    blocks: list[Block] = [Heading("Study: how the best learning rate moves")]
    if any(level.lr is not None for factor in made.study for level in factor.levels):
        blocks.append(
            Chart("study", "The best learning rate (LR*) of each level, with its interval")
        )
    for factor in made.study:
        batches = any(level.linear is not None for level in factor.levels)
        rules = ("linear rule", "square-root rule") if batches else ()
        head = (factor.name, "LR*", "interval", made.metric, *rules)
        rows = []
        for level in factor.levels:
            own = " (the experiment's own)" if level.base else ""
            reach = level.range or level.why
            row = (f"{level.text}{own}", _two(level.lr), reach, shown(level.value))
            ruled = (_two(level.linear), _two(level.root)) if batches else ()
            rows.append((*row, *ruled))
        trend, *notes = factor.remarks
        blocks += [
            Heading(trend, 3),
            _table(head, rows, head[1:]),
            Bullets(tuple(notes)),
        ]
    return blocks


def _two(lr: float | None) -> str:
    return lr_rounded(lr) if lr is not None and math.isfinite(lr) else ""


def _sensitivity(made: Report) -> list[Block]:
    """Return the result of each LR: of several groups as a table of LR x setting."""
    order = [each.group for each in made.groups]
    groups = [each for each in made.sensitivity if each.points]
    groups.sort(key=lambda each: order.index(each.group))
    if all(point.mean is None for each in groups for point in each.points):
        return []
    caption = f"{made.metric} against the learning rate"
    if made.maps:
        beside = " and ".join(dict.fromkeys(each.axis for each in made.maps))
        caption = f"Predicted {made.metric} over the learning rate and {beside}"
    blocks: list[Block] = [
        Heading("Sensitivity to the learning rate"),
        Chart("sensitivity", caption),
    ]
    if len(groups) > 1:
        lrs = sorted({point.lr for each in groups for point in each.points})
        cells = [{point.lr: point for point in each.points} for each in groups]
        rows = [
            (lr_text(lr), *(_cell(made, column[lr]) if lr in column else "" for column in cells))
            for lr in lrs
        ]
        names = _differences([each.group for each in groups])
        head = ("lr", *(names[each.group] for each in groups))
        return [*blocks, _table(head, rows, head[1:])]
    metric = made.metric
    axes = list(dict.fromkeys(name for point in groups[0].points for name in point.axes))
    rows = [
        (
            lr_text(point.lr),
            *(setting_value(point.axes[name]) if name in point.axes else "" for name in axes),
            shown(point.mean),
            _error(point),
            str(point.seeds or ""),
            "" if point.level is None else amount(point.level),
            _loss(made, point),
            point.dead or point.state,
            " ".join(point.runs),
        )
        for point in groups[0].points
    ]
    head = ("lr", *axes, metric, "± se", "seeds", f"at {made.unit}", "val_loss", "state", "runs")
    best = [i for i, point in enumerate(groups[0].points) if point.runs == made.verdict.runs]
    return [*blocks, _table(head, rows, head[1:-2], best)]


def _loss(made: Report, row: Row | Point) -> str:
    """Return the validation loss; "" if it is the metric itself."""
    return "" if made.metric == "val_loss" else shown(row.val_loss)


def _cell(made: Report, point: Point) -> str:
    if point.dead:
        return point.dead
    if point.mean is None:
        return point.state
    se = f" ± {_error(point)}" if _error(point) else ""
    partial = None if point.full else point.level
    short = "" if partial is None else f" ({made.unit} {amount(partial)})"
    return f"{shown(point.mean)}{se}{short}"


def _ranges(made: Report) -> list[Block]:
    if not made.ranges:
        return []
    head = ("test", "setting", "from..to", "valley", "steep", "minimum / 10", "slide", "diverged at", "why")  # fmt: skip
    rows = [
        (
            each.run,
            each.group,
            f"{lr_text(each.from_)}..{lr_text(each.to) if each.to else ''}, {each.steps} steps",
            *map(_two, (each.valley, each.steep, each.minimum, each.slide)),
            _two(each.diverged) or "-",
            each.why if each.valley is None else "",
        )
        for each in made.ranges
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


def _rungs(made: Report) -> list[Block]:
    if not made.rungs:
        return []
    blocks: list[Block] = [
        Heading("Rungs: which runs continued, and why"),
        Paragraph(
            "All learning rates of a setting are compared at the same length of training; the best continue, from their checkpoints "
            "if they have any."
        ),
    ]
    many = len(made.groups) > 1
    metric = made.metric
    for rung in made.rungs:
        where = f"{made.unit} {amount(rung.level)}"
        whose = f", {rung.group}" if many and rung.group else ""
        cut = "" if rung.cut is None else f"; cut {shown(rung.cut)}"
        rows = [
            (lr_text(each.lr), each.run, shown(each.value), each.fate, each.why)
            for each in rung.runs
        ]
        kept = frozenset(i for i, each in enumerate(rung.runs) if each.fate == "kept")
        head = ("lr", "run", metric, "result", "why")
        blocks += [
            Heading(f"At {where}{whose}: {rung.why or 'decided'}{cut}", 3),
            _table(head, rows, {metric}, kept, below="why"),
        ]
    return blocks


def _board(made: Report) -> list[Block]:
    rows = made.leaderboard
    blocks: list[Block] = [Heading("Leaderboard")]
    if not rows:
        return [*blocks, Paragraph("No run was started.")]
    if any(each.metric == made.metric for each in made.curves):
        blocks.append(Chart("curves", f"{made.metric} over {units(made)}"))
    tests = sorted({name for row in rows for name in row.test})
    settings = [setting_text(row) for row in rows]
    named = len(set(settings)) > 1
    head = ("#", "run", "lr", *(("setting",) if named else ()), "state", made.metric)
    head += ("± se", f"at {made.unit}", "val_loss", *tests, "why")
    cells = [
        (
            str(row.rank),
            " ".join(row.runs),
            lr_text(row.lr),
            *((setting,) if named else ()),
            row.kind or row.state,
            shown(row.value),
            _error(row),
            "" if row.at is None else f"{amount(row.at)}",
            _loss(made, row),
            *(shown(row.test.get(name)) for name in tests),
            row.why,
        )
        for row, setting in zip(rows, settings, strict=True)
    ]
    best = [i for i, row in enumerate(rows) if set(row.runs) & set(made.verdict.runs)]
    figures = {"#", made.metric, "± se", f"at {made.unit}", "val_loss", *tests}
    if made.leaderboard_note:
        blocks.append(Paragraph(made.leaderboard_note))
    blocks.append(_table(head, cells, figures, best, below="why"))
    if any(row.value is not None for row in rows):
        words = "Settings are compared at equal lengths of training only: the value is the one at the length beside it."
        never = " Test metrics are reported at that length and never selected on." if tests else ""
        blocks.append(Paragraph(words + never))
    return blocks


def _output(made: Report) -> list[Block]:
    """Return the output of failed runs, and unread lines of others that look like measurements; equal output only once."""
    told = list({run.output: run for run in reversed(made.runs) if run.output}.values())[::-1]
    if not told:
        return []
    left = len(told) - _OUTPUTS
    return [
        Heading("Output"),
        *(Code(f"{run_name(run.run, run.lr)} {run.state}", run.output) for run in told[:_OUTPUTS]),
        *([Paragraph(f"And {count(left, 'more run')}: lrtui explain.")] if left > 0 else []),
    ]


def _setup(made: Report) -> list[Block]:
    settings: dict[str, Scalar] = {
        **made.settings,
        "random seeds": ", ".join(map(str, made.seeds)) or "-",
    }
    budget = made.budget
    if budget.spent:
        settings["spent"] = (
            f"{amount_about(budget.spent)} {units(made)}, {duration(budget.seconds)} of training"
        )
    if budget.limit is not None:
        settings["budget"] = f"{amount(budget.limit)} {units(made)}"
    if budget.limit_seconds is not None:
        settings["budget"] = f"{duration(budget.limit_seconds)} of training"
    if len(made.groups) == 1:
        settings = {"setting": made.groups[0].group, **settings}
    settings = {"experiment": made.experiment, **settings}
    if made.closed is not None:
        why = made.no_answer if made.remedy else made.closed.why
        settings["ended"] = f"exit code {made.closed.code}: {why}"
    blocks: list[Block] = [
        Heading("Settings"),
        _pairs(settings),
        Heading("Data"),
        _pairs(plain(made.data)),
    ]
    if made.warnings:
        blocks += [Heading("Warnings"), Bullets(made.warnings)]
    return blocks


def _pairs(given: Mapping[str, Scalar]) -> Table:
    rows = [(key, _said(value)) for key, value in given.items() if value != ""]
    return Table(("", ""), tuple(rows))


def _said(value: Scalar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return amount(value) if isinstance(value, float) else str(value)


def _again(made: Report) -> list[Block]:
    blocks: list[Block] = [
        Heading("How to reproduce it"),
        Code("Run the same sweep again", made.reproduce),
    ]
    if made.experiment_file:
        blocks.append(Code("The experiment file that the runs used", made.experiment_file))
    versions = ", ".join(f"{name} {text}" for name, text in made.versions.items())
    ran = {"program": "program", "git": "git commit", "script_crc32": "script CRC-32", "environment_crc32": "environment CRC-32"}  # fmt: skip
    told = ", ".join(f"{words} {made.ran_with[key]}" for key, words in ran.items() if key in made.ran_with)  # fmt: skip
    if told:
        blocks.append(Paragraph(f"The runs used: {told}."))
    blocks.append(
        Paragraph(f"Versions where this was written: {versions}. Written {made.written}.")
    )
    return blocks
