# ruff: noqa: D102  # the table of keys says what each action does
"""What the keys do: each `action_...` changes the view or sends a command, after a question if one is needed."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from lrtui.frontend import requests
from lrtui.sweep.allowed import Refusal
from lrtui.sweep.events import AnyCommand
from lrtui.text.clean import clean
from lrtui.text.format import count, lr_text
from lrtui.tui.charts.curves import drawn, metric_names, metric_ring, newest
from lrtui.tui.keymap import KEYMAP
from lrtui.tui.panels.explanation import sentences
from lrtui.tui.panels.leaderboard import ordered, row_of, shown_run, title_of
from lrtui.tui.panels.search import lines_of
from lrtui.tui.view_model import SORTS, TABS, USUAL_WEIGHT, WEIGHTS, Notice, Pane

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from textual.geometry import Size

    from lrtui.frontend.undo import UndoEntry
    from lrtui.sweep.state import Run
    from lrtui.tui.panels.chart_panel import ChartPanel
    from lrtui.tui.view_model import ViewModel

_PICTURES: tuple[Pane, ...] = (
    "charts",
    "sensitivity",
    "range",
    "values",
    "derived",
    "hardware",
    "study",
)
"""Panes without text: there the scroll keys move the cursor."""
_NOT_IN_ALL: dict[Pane, str] = {"range": "range test", "study": "[study]"}
"""The panes that only some sweeps have."""
STEPS = 60
"""The number of cursor steps across a chart."""
LEAST_WINDOW = 1 / 256
_LOOK_SECONDS = 0.05
"""The time between two looks whether everything that an export waits for is read and drawn."""
FROM_END: tuple[Pane, ...] = ("output", "journal")
"""Panes that follow their end."""


class Actions:
    """The actions of the app, as a mixin."""

    model: ViewModel
    directory: Path
    change_view: Callable[..., None]
    say: Callable[..., None]
    send: Callable[..., None]
    deeds: deque[UndoEntry]
    under_way: int
    undo_waits: bool
    exit: Callable[..., None]
    repaint_all: Callable[[], None]
    refresh: Callable[..., Any]
    size: Size
    theme: str
    push_screen: Callable[..., Any]
    export_screenshot: Callable[..., str]
    screen_lines: Callable[[], list[str]]
    charts_seen: Callable[[], list[ChartPanel]]
    run_worker: Callable[..., Any]
    run_action: Callable[..., Any]
    call_from_thread: Callable[..., Any]

    @property
    def pane_rows(self) -> int:
        """How many lines of text the large area shows."""
        raise NotImplementedError

    @property
    def charts_shown(self) -> int:
        """How many charts share the screen."""
        raise NotImplementedError

    # ------------------------------------------------ runs

    def _target(self) -> Run | None:
        """Return the run that command keys apply to; None after a message if there is none."""
        model: ViewModel = self.model
        why = self._cannot_act()
        if why:
            self.say(why, bad=True)
            return None
        rows = ordered(model)
        test = model.test
        if test is not None and (model.view.pane == "range" or not rows):
            return test
        if model.snapshot is None or not rows:
            self.say("no runs yet", bad=True)
            return None
        row = rows[row_of(rows, model.view.selected)]
        run: Run | None = model.snapshot.sweep.runs.get(shown_run(model, row))
        return run

    def _cannot_act(self) -> str:
        model: ViewModel = self.model
        if model.snapshot is None:
            return "still reading"
        if model.view_only:
            return f"view only: {model.view_only}"
        closed = model.snapshot.sweep.closed
        if closed is not None and model.snapshot.sweep.stopping:
            return f"the sweep was stopped; to continue: lrtui {self.directory} --resume"
        return ""

    def _named(self, run: Run) -> str:
        return title_of(self.model, run.id)

    def _ask(self, asked: AnyCommand | Refusal, doing: str) -> None:
        if isinstance(asked, Refusal):
            self.say(str(asked), bad=True)
        else:
            self.send(asked, doing=doing)

    def _confirm(
        self,
        title: str,
        asked: AnyCommand | tuple[AnyCommand, ...] | Refusal,
        doing: str,
        *lines: str,
        remember: bool = True,
    ) -> None:
        """Ask before commands are sent, each after the one before was done."""
        if isinstance(asked, Refusal):
            self.say(str(asked), bad=True)
            return
        from lrtui.tui.screens.confirm import yes_or_no  # rarely needed

        commands = asked if isinstance(asked, tuple) else (asked,)

        def answered(result: str | None) -> None:
            if result:
                self.send(*commands, doing=doing, remember=remember)

        self.push_screen(yes_or_no(title, *lines), answered)

    def action_kill(self) -> None:
        run, snapshot = self._target(), self.model.snapshot
        if run and snapshot:
            name = self._named(run)
            note = "Its checkpoint and curve are kept; R restarts it."
            asked = requests.kill(snapshot.sweep, run, self._named)
            self._confirm(f"Kill {name}?", asked, f"killing {name}", note)

    def action_restart(self) -> None:
        run, snapshot = self._target(), self.model.snapshot
        if not run or not snapshot:
            return
        name = self._named(run)
        if run.alive:
            note = "The run is killed first; the new attempt starts from scratch."
            asked = requests.kill_and_restart(snapshot.sweep, run, self._named)
            self._confirm(f"Restart {name}?", asked, f"restarting {name}", note)
        else:
            self._ask(requests.restart(snapshot.sweep, run, self._named), f"restarting {name}")

    def action_restart_failed(self) -> None:
        why, snapshot = self._cannot_act(), self.model.snapshot
        asked = requests.restart_failed(snapshot.sweep, self._named) if snapshot else Refusal(why)
        if why or isinstance(asked, Refusal):
            self.say(why or str(asked), bad=True)
        else:
            self.send(*asked, doing=f"restarting {count(len(asked), 'failed run')}", remember=False)

    def action_pause(self) -> None:
        run, snapshot = self._target(), self.model.snapshot
        if run and snapshot:
            asked = requests.pause_or_resume(snapshot.sweep, run, self._named)
            self._ask(asked, f"asking {self._named(run)}")

    def action_freeze(self) -> None:
        run, snapshot = self._target(), self.model.snapshot
        if run and snapshot:
            asked = requests.freeze_or_resume(snapshot.sweep, run, self._named)
            self._ask(asked, f"asking {self._named(run)}")

    def action_edit(self) -> None:
        run = self._target()
        if run:
            name = title_of(self.model, run.id)
            self._ask_lr(f"New run like {name}", lr_text(run.setting.lr), run)

    def action_new(self) -> None:
        why = self._cannot_act()
        if why:
            self.say(why, bad=True)
        else:
            self._ask_lr("New run", "", None)

    def _ask_lr(self, title: str, value: str, parent: Run | None) -> None:
        from lrtui.tui.screens.text_prompt import Ask  # Textual's Input costs 10 ms

        def checked(text: str) -> tuple[bool, str]:
            return not isinstance(requests.read_lr(text), str), requests.echo_lr(text)

        def answered(text: str | None) -> None:
            lr = requests.read_lr(text) if text is not None else ""
            snapshot = self.model.snapshot
            if not isinstance(lr, str) and snapshot is not None:
                like = parent.id if parent else None
                asked = requests.add(snapshot.sweep, lr, like, named=self._named)
                self._ask(asked, f"adding {lr_text(lr)}")

        note = (
            "with its other settings and seed" if parent else "with the first run's other settings"
        )
        self.push_screen(Ask(title, value, f"Learning rate, {note}:", checked), answered)

    def action_parallel(self, change: int) -> None:
        why, snapshot = self._cannot_act(), self.model.snapshot
        if why or snapshot is None:
            self.say(why, bad=True)
            return
        wanted = snapshot.sweep.parallel + change
        self._ask(requests.parallel(snapshot.sweep, wanted), f"{wanted} at a time")

    def action_undo(self) -> None:
        """Undo the last action of this monitor; ask first if that ends a run."""
        why, snapshot = self._cannot_act(), self.model.snapshot
        if why or snapshot is None:
            self.say(why, bad=True)
            return
        if self.under_way:
            self.undo_waits = True
            self.say("your last action will be undone once it has finished")
            return
        if not self.deeds:
            self.say("nothing to undo in this monitor", bad=True)
            return
        from lrtui.frontend.undo import NotYet, undoing  # rarely needed

        found = undoing(self.deeds[-1], snapshot.sweep, self._named)
        if not isinstance(found, NotYet):
            self.deeds.pop()
        if isinstance(found, Refusal):
            self.say(str(found), bad=True)
        elif found.victim:
            title = f"Undo: kill {found.victim}?"
            self._confirm(title, found.command, found.says, found.says, remember=False)
        else:
            self.send(found.command, doing=found.says, remember=False)

    # ------------------------------------------------ leaderboard

    def action_move(self, step: int) -> None:
        rows = ordered(self.model)
        if rows:
            at = row_of(rows, self.model.view.selected) + step
            self.change_view(
                selected=rows[max(0, min(at, len(rows) - 1))].runs[0], moved=True, scroll=0
            )

    def action_sort(self) -> None:
        at = SORTS.index(self.model.view.sort)
        self.change_view(sort=SORTS[(at + 1) % len(SORTS)])
        self.say(f"sorted by {self.model.view.sort}")

    def action_reverse(self) -> None:
        self.change_view(reverse=not self.model.view.reverse)

    def action_hide(self) -> None:
        view = self.model.view
        if view.selected:
            self.change_view(hidden=view.hidden ^ {view.selected})

    def action_show_all(self) -> None:
        self.change_view(hidden=frozenset(), filter="")

    def action_filter(self) -> None:
        """Filter the runs; in the output pane, search for a text."""
        if self.model.view.pane == "output":
            self._find()
            return
        from lrtui.frontend.run_filter import matcher  # rarely needed
        from lrtui.tui.screens.text_prompt import Ask

        def checked(text: str) -> tuple[bool, str]:
            found = matcher(text)
            return not isinstance(found, str), found if isinstance(found, str) else ""

        def answered(text: str | None) -> None:
            if text is not None:
                self._narrow(" ".join(text.split()))

        note = "lr>=1e-3 state:running -adam; empty: all"
        self.push_screen(
            Ask("Show only runs with", self.model.view.filter, note, checked), answered
        )

    def _find(self) -> None:
        """Ask for a text, and go to its next occurrence above."""
        from lrtui.tui.screens.text_prompt import Ask  # rarely needed

        def answered(text: str | None) -> None:
            if text is not None:
                self._go_to(text)

        note = "next match above; again: /, Enter; empty: clear"
        ask = Ask("Find", self.model.view.find, note, lambda _: (True, ""))
        self.push_screen(ask, answered)

    def _go_to(self, text: str) -> None:
        view, lines = self.model.view, self.model.pages.output
        if not text:
            self.change_view(find="", scroll=0)
            return
        found = [up for up, line in enumerate(reversed(lines)) if text.lower() in line.lower()]
        again = view.scroll if text == view.find else -1
        above = [up for up in found if up > again]
        up = next(iter(above or found), view.scroll)
        self.change_view(find=text, scroll=min(up, max(0, len(lines) - self.pane_rows)))
        place = f", match {found.index(up) + 1} of {len(found)} from the end" if found else ""
        self.say(f"{text}{place or ' not found'}", bad=not found)

    def _narrow(self, text: str) -> None:
        """Filter the runs; the cursor stays on its run if that is still listed."""
        self.change_view(filter=text)
        rows = ordered(self.model)
        if rows and not any(self.model.view.selected in row.runs for row in rows):
            self.change_view(selected=rows[0].runs[0], moved=True)
        if text:
            self.say(f"{len(rows)} shown; Esc shows all")

    def action_pin(self) -> None:
        view = self.model.view
        self.change_view(pinned="" if view.pinned == view.selected else view.selected)

    # ------------------------------------------------ charts

    def action_metric(self) -> None:
        ring = self._metrics()
        chosen = self.model.view.metric
        at = ring.index(chosen) if chosen in ring else 0
        self.change_view(metric=ring[(at + 1) % len(ring)], pane="charts")

    def action_metrics(self) -> None:
        """Show all metrics in a list."""
        from lrtui.tui.screens.picker import Entry, Pick  # rarely needed

        def picked(name: str | None) -> None:
            if name is not None:
                self.change_view(metric=name, pane="charts")

        runs = drawn(self.model).values()
        found = Counter(name for series in runs for name in series.names())
        entries = [
            Entry(name, name, count(n, "run")) for name in self._metrics() for n in (found[name],)
        ]
        self.push_screen(Pick("Metric of the first chart", entries, self.model.view.metric), picked)

    def _metrics(self) -> list[str]:
        plan = self.model.snapshot.sweep.plan if self.model.snapshot else None
        names = metric_names(self.model)
        return metric_ring(self.charts_shown, names, plan.metric if plan else "")

    def action_log_y(self) -> None:
        self.change_view(log_y=not self.model.view.log_y)

    def action_axis(self) -> None:
        self.change_view(axis=self.model.view.axis + 1)

    def action_smooth(self) -> None:
        view = self.model.view
        self.change_view(smooth=not view.smooth, weight=view.weight or USUAL_WEIGHT)

    def action_weight(self, step: int) -> None:
        view = self.model.view
        at = WEIGHTS.index(view.weight) if view.smooth else 0
        weight = WEIGHTS[max(0, min(at + step, len(WEIGHTS) - 1))] if step else USUAL_WEIGHT
        self.change_view(smooth=weight > 0, weight=weight)

    def action_cursor(self) -> None:
        """Turn the charts' cursor on, then show its values, then turn it off."""
        view = self.model.view
        if view.cursor is None:
            low, high = view.window
            self.change_view(cursor=max(low, min(newest(self.model), high)), pane="charts")
        elif view.pane == "charts":
            self.change_view(pane="values")
        else:
            self.change_view(cursor=None, pane="charts")

    def action_across(self, steps: int) -> None:
        """Move the cursor; without a cursor, move the zoomed window."""
        view = self.model.view
        low, high = view.window
        step = (high - low) / STEPS * steps
        if view.cursor is None:
            step = max(-low, min(step, 1 - high))
            self.change_view(window=(low + step, high + step))
            return
        cursor = max(0.0, min(view.cursor + step, 1.0))
        shift = min(0.0, cursor - low) + max(0.0, cursor - high)
        self.change_view(cursor=cursor, window=(low + shift, high + shift))

    def action_zoom(self, change: int) -> None:
        """Show half or twice as much of the x axis, around the cursor, else the newest points, else the middle."""
        view = self.model.view
        low, high = view.window
        if change == 0:
            self.change_view(window=(0.0, 1.0))
            return
        size = max(LEAST_WINDOW, min((high - low) * (0.5 if change > 0 else 2.0), 1.0))
        centre = newest(self.model) if view.cursor is None else view.cursor
        centre = centre if low <= centre <= high else (low + high) / 2
        low = max(0.0, min(centre - size / 2, 1 - size))
        self.change_view(window=(low, low + size) if size < 1 else (0.0, 1.0), pane="charts")

    def action_charts(self) -> None:
        more = {1: 2, 2: 4}
        self.change_view(charts=more.get(self.model.view.charts, 1), pane="charts")

    # ------------------------------------------------ panes

    def action_tab(self, number: int) -> None:
        self.show_pane(list(TABS)[number - 1])

    def show_pane(self, pane: Pane) -> None:
        """Show a pane in the large area, if it has content."""
        if pane in self.model.panes:
            self.change_view(pane=pane, scroll=0)
        else:
            self._say_empty(pane)

    def _say_empty(self, pane: Pane) -> None:
        why = "lrtui did not start these runs" if self.model.is_watched else "this sweep"
        link = ", so there is" if self.model.is_watched else " has"
        self.say(f"{why}{link} no {_NOT_IN_ALL.get(pane, pane)}", bad=True)

    def _turn_to(self, pane: Pane) -> None:
        """Show a pane instead of the charts, or the charts again if the user had chosen it."""
        view = self.model.view
        if pane not in self.model.panes:
            self._say_empty(pane)
            return
        again = view.chosen and view.pane == pane
        self.change_view(pane="charts" if again else pane, scroll=0)

    def action_output(self) -> None:
        self._turn_to("output")

    def action_derived(self) -> None:
        self._turn_to("derived")

    def action_hardware(self) -> None:
        self._turn_to("hardware")

    def action_journal(self) -> None:
        self._turn_to("journal")

    def action_settings(self) -> None:
        self._turn_to("settings")

    def action_explain(self) -> None:
        self._turn_to("explain")

    def action_sensitivity(self) -> None:
        self._turn_to("sensitivity")

    def action_search(self) -> None:
        self._turn_to("search")

    def action_range(self) -> None:
        """Show the range test of the run, then the following ones, then the charts."""
        tests = [run.id for run in self.model.tests]
        if not tests:
            self._say_empty("range")
            return
        if self.model.view.pane != "range" or self.model.test is None:
            self.change_view(pane="range", test="")
            return
        rest = tests[tests.index(self.model.test.id) + 1 :]
        self.change_view(pane="range" if rest else "charts", test=rest[0] if rest else "")

    def action_charts_back(self) -> None:
        """Go back to the charts; from there, clear the filter."""
        if self.model.view.pane == "charts" and self.model.view.filter:
            self.change_view(filter="")
        else:
            self.change_view(pane="charts", scroll=0)

    def action_pane(self, step: int) -> None:
        panes = self.model.panes
        at = panes.index(self.model.view.pane) if self.model.view.pane in panes else 0
        self.change_view(pane=panes[(at + step) % len(panes)], scroll=0)

    def action_follow(self) -> None:
        self.change_view(pane="output", scroll=0)

    def action_scroll_to(self, end: int) -> None:
        view = self.model.view
        if view.pane in _PICTURES:
            rows = ordered(self.model)
            if rows:
                self.change_view(selected=rows[0 if end < 0 else -1].runs[0], moved=True)
        else:
            far = (view.pane in FROM_END) == (end < 0)
            self.change_view(scroll=10**6 if far else 0)

    def action_page(self, step: int) -> None:
        view = self.model.view
        if view.pane in _PICTURES:
            self.action_move(step * 5)
            return
        most = max(0, self.text_lines(view.pane, self.size.width) - self.pane_rows)
        change = -step if view.pane in FROM_END else step
        self.change_view(
            scroll=max(0, min(min(view.scroll, most) + change * max(1, self.pane_rows - 1), most))
        )

    def text_lines(self, pane: str, width: int) -> int:
        """Return the number of text lines of a pane that is `width` cells wide; 0 for a chart."""
        pages = self.model.pages
        if pane == "search":
            return lines_of(self.model, width)
        if pane == "explain":
            return len(sentences(self.model, width))
        texts = {"output": pages.output, "journal": pages.journal, "settings": pages.settings}
        return len(texts.get(pane, ()))

    # ------------------------------------------------ monitor

    def action_help(self) -> None:
        from lrtui.tui.screens.help import Help  # rarely needed

        self.push_screen(Help())

    def action_palette(self) -> None:
        """Show the actions in a list."""
        from lrtui.tui.screens.picker import Entry, Pick  # rarely needed

        def picked(action: str | None) -> None:
            if action is not None:
                self.run_worker(self.run_action(action))

        entries = [
            Entry(key.action, f"{key.shown:>6}  {key.label}", key.help)
            for key in KEYMAP
            if key.action not in {"palette", "tab"}
        ]
        self.push_screen(Pick("Action", entries, ""), picked)

    def action_theme(self) -> None:
        """Show the themes in a list."""
        from lrtui.tui.screens.picker import Entry, Pick  # rarely needed
        from lrtui.tui.themes import THEMES

        def picked(name: str | None) -> None:
            if name is not None:
                self.theme = name
                self.say(f"theme {name}: {THEMES[name].what}")

        entries = [Entry(theme.name, theme.name, theme.what) for theme in THEMES.values()]
        self.push_screen(Pick("Theme", entries, self.theme), picked)

    def action_export(self) -> None:
        """Export the view once everything is read and drawn: before, charts are blank and values are not final."""
        if self._is_complete():
            self._export_now()
            return
        self.say("the export waits until everything is read and drawn ...")
        self.run_worker(self._export_when_complete, group="export", exclusive=True)

    async def _export_when_complete(self) -> None:
        while not self._is_complete():  # noqa: ASYNC110  # it follows from the model and from every chart
            await asyncio.sleep(_LOOK_SECONDS)
        self.model = replace(self.model, notice=Notice())
        self._export_now()

    def _is_complete(self) -> bool:
        snapshot = self.model.snapshot
        read = snapshot is not None and not snapshot.reading
        return read and all(chart.is_current for chart in self.charts_seen())

    def _export_now(self) -> None:
        """Export in a thread, because drawing the charts takes a second or two."""
        text = "\n".join(self.screen_lines()) + "\n"
        screen = self.export_screenshot(title=f"lrtui {clean(self.directory.name, 60)}")
        self.say("exporting the view ...")
        work = partial(self._export, self.model, text, screen, self.charts_seen())
        self.run_worker(work, thread=True, exit_on_error=False)

    def _export(
        self, model: ViewModel, text: str, screen: str, charts: Sequence[ChartPanel]
    ) -> None:
        from lrtui.tui.panels import Chart
        from lrtui.tui.screen_export import write  # rarely needed
        from lrtui.tui.themes import DARK, THEMES

        large = [
            p for panel in charts if not isinstance(panel, Chart) for p in panel.pictures(model)
        ]
        pictures = large or [p for chart in charts for p in chart.pictures(model)]
        theme = THEMES.get(self.theme, DARK)
        try:
            inside = None if model.is_watched else self.directory
            written = write(inside, model, (text, screen), pictures, theme)
        except OSError as error:
            self.call_from_thread(self.say, f"cannot export: {error.strerror}", bad=True)
        else:
            self.call_from_thread(self.say, str(written), bad=bool(written.missing))

    def action_redraw(self) -> None:
        self.repaint_all()
        self.refresh(layout=True)

    def action_interrupt(self) -> None:
        self.exit(130)

    def action_leave(self) -> None:
        """Quit; if runs are live, ask whether to stop them."""
        model: ViewModel = self.model
        sweep = model.snapshot.sweep if model.snapshot else None
        live = 0
        if sweep is not None and sweep.closed is None and not model.view_only:
            live = len(sweep.alive()) + len(sweep.queued())
        if not live:
            self.exit(0)
            return
        from lrtui.tui.screens.confirm import leave  # rarely needed

        def answered(result: str | None) -> None:
            if result == "detach":
                self.exit(0)
            elif result == "stop" and model.snapshot is not None:
                asked = requests.stop(model.snapshot.sweep)
                if isinstance(asked, Refusal):  # it has ended meanwhile
                    self.say(str(asked), bad=True)
                else:
                    self.send(asked, doing="stopping all runs", then_leave=4)

        self.push_screen(leave(live), answered)
