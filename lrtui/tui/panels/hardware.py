"""Load and memory of the CPU and the GPUs over time, and the usage of each live run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec.structs import replace
from textual.strip import Strip
from typing_extensions import override

from lrtui.hardware.history import thinned
from lrtui.text.format import duration, gib, run_name
from lrtui.tui.charts.axes import Limits, Tick
from lrtui.tui.panels.chart_panel import ChartPanel
from lrtui.tui.panels.lines import rule
from lrtui.tui.styled_text import ACCENT, FAINT, TEXT, fit, ink, line

if TYPE_CHECKING:
    from collections.abc import Callable

    from lrtui.hardware.gpu import Gpu
    from lrtui.hardware.history import History, Sample
    from lrtui.sweep.state import Run
    from lrtui.tui.charts.plot import Curve, Picture
    from lrtui.tui.view_model import ViewModel

_COLOURS = ("#ffd566", "#ff6e4a", "#a5e3e8", "#e83f6f", "#c792ea", "#9ece6a", "#f2f2c8", "#5b8ff9")
"""Colours of the GPUs; they repeat from the ninth, which its label distinguishes."""
_LEAST_CHART = 7
"""The minimum height of a useful chart, in rows."""
_ROOMY = 60
"""The minimum width of a chart with text labels, in cells."""
_SPAN_SECONDS = 60.0
"""The minimum time span of the charts."""
_SPANS = (60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 43200, 86400)
"""Lengths of the time axis: it grows in steps, because growing by one cell at a time would resend the whole chart."""


class Hardware(ChartPanel):
    """Two charts, load and memory in percent, and, if there is room, a row for each live run."""

    @override
    def inputs(self, model: ViewModel) -> tuple[object, ...]:
        usage = model.history.usage
        return (usage.at if usage else 0.0, len(model.marks), model.view.selected)

    @override
    def paint(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        from lrtui.tui.charts import plot  # numpy is imported with the first chart

        history = model.history
        if not history.samples:
            return [rule("hardware", width), line(ink(" measuring ...", FAINT))]
        table = _table(model, width, max(0, height - _LEAST_CHART))
        rows = height - len(table)
        left = width // 2
        history = replace(history, samples=thinned(history.samples, left // 2))
        load = plot.draw(_load(history, left), left, rows, quick=True)
        memory = plot.draw(_memory(history, width - left), width - left, rows, quick=True)
        both = [Strip.join(pair) for pair in zip(load, memory, strict=True)]
        return [*both, *table][:height]

    @override
    def pictures(self, model: ViewModel) -> list[Picture]:
        if not model.history.samples:
            return []
        half = self.size.width // 2
        return [_load(model.history, half), _memory(model.history, half)]


def _load(history: History, width: int) -> Picture:
    usage = history.usage
    cores = f", {os.cpu_count()} cores," if width >= _ROOMY else ""
    legend = [(_share(f"cpu{cores}", usage.cpu if usage else None), ACCENT)]
    legend += [
        (_share(f"g{gpu.index}", gpu.utilisation), _colour(gpu.index)) for gpu in history.gpus
    ]
    curves = [*_cards(history, 1), _curve("cpu", ACCENT, history, lambda s: s.cpu)]
    return _picture("load, %", curves, legend, history, width)


def _memory(history: History, width: int) -> Picture:
    usage = history.usage
    legend = []
    if usage and usage.memory_total_mib:
        legend.append((f"ram {gib(usage.memory_used_mib)}/{gib(usage.memory_total_mib)} G", ACCENT))
    legend += [(_held(gpu), _colour(gpu.index)) for gpu in history.gpus]
    curves = [*_cards(history, 2), _curve("ram", ACCENT, history, lambda s: s.memory)]
    return _picture("memory, %", curves, legend, history, width)


def _held(gpu: Gpu) -> str:
    return f"g{gpu.index} {gib(gpu.memory_used_mib)}/{gib(gpu.memory_total_mib)} G"


def _cards(history: History, which: int) -> list[Curve]:
    return [
        _curve(f"g{gpu.index}", _colour(gpu.index), history, _card(gpu.index, which))
        for gpu in history.gpus
    ]


def _card(index: int, which: int) -> Callable[[Sample], float | None]:
    """Return a function that reads a GPU's utilisation (1) or memory (2) from a sample."""

    def value(sample: Sample) -> float | None:
        found = next((card for card in sample.gpus if card[0] == index), None)
        return None if found is None else found[1] if which == 1 else found[2]

    return value


def _curve(
    name: str, colour: str, history: History, value: Callable[[Sample], float | None]
) -> Curve:
    from lrtui.tui.charts.plot import Curve

    now = history.samples[-1].at
    nan = float("nan")
    ys = [value(sample) for sample in history.samples]
    xs = [sample.at - now for sample in history.samples]
    return Curve(name, colour, xs, [nan if y is None else y for y in ys])


def _picture(
    title: str, curves: list[Curve], legend: list[tuple[str, str]], history: History, width: int
) -> Picture:
    from lrtui.tui.charts.plot import Picture

    samples = history.samples
    span = max(_SPAN_SECONDS, samples[-1].at - samples[0].at)
    span = next((float(each) for each in _SPANS if each >= span), span)
    parts = 4 if width >= _ROOMY else 2
    ticks = tuple(
        Tick(-span + at * span / parts, f"-{duration(span - at * span / parts)}")
        for at in range(parts)
    )
    return Picture(
        title,
        tuple(curves),
        Limits(-span, 0.0),
        Limits(0.0, 100.0),
        (*ticks, Tick(0.0, "now")),
        tuple(Tick(float(at), str(at)) for at in (0, 50, 100)),
        tuple(legend),
    )


def _table(model: ViewModel, width: int, most: int) -> list[Strip]:
    """Return a heading and a row for each run with a live process, at most `most` rows."""
    usage, snapshot = model.history.usage, model.snapshot
    if usage is None or snapshot is None or most < 2:
        return []
    runs = [run for run in snapshot.sweep.runs.values() if run.id in usage.workers]
    runs.sort(key=lambda run: run.setting.lr)
    if not runs:
        return []
    more = f"{len(runs) - most + 1} more" if len(runs) > most - 1 else ""
    card = "gpu" if model.history.gpus else ""
    head = fit(f" {'run':<13}{'cpu':>7}{'memory':>9}  {card:<24}{more}", width)
    rows = [_row(model, run) for run in runs[: most - 1]]
    return [line(ink(head, FAINT)), *rows]


def _row(model: ViewModel, run: Run) -> Strip:
    usage = model.history.usage
    taken = usage.workers[run.id] if usage else None
    mark = model.mark(run.id)
    name = fit(run_name(mark.letter, run.setting.lr), 13)
    cpu = "" if taken is None or taken.cpu is None else f"{taken.cpu:.0f} %"
    memory = "" if taken is None else f"{gib(taken.memory_mib)} G"
    devices = run.attempt.devices if run.attempt else ()
    cards = "  ".join(
        f"{gpu.index} {_share('', gpu.utilisation).strip()}"
        for gpu in model.history.gpus
        if gpu.index in devices
    )
    bold = run.id == model.view.selected
    return line(ink(f" {name}", mark.colour, bold=bold), ink(f"{cpu:>7}{memory:>9}  {cards}", TEXT))


def _share(name: str, share: float | None) -> str:
    return f"{name} ?" if share is None else f"{name} {share:.0f} %"


def _colour(index: int) -> str:
    return _COLOURS[index % len(_COLOURS)]
