"""The app: wiring and bindings. `actions` has what a key does, `panels` what the screen shows."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec.structs import replace
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.events import Key as KeyEvent
from textual.reactive import reactive
from textual.screen import Screen
from typing_extensions import override

from lrtui.errors import UserError
from lrtui.frontend.run_colors import RunColors
from lrtui.frontend.undo import MOST_DEEDS, UndoEntry
from lrtui.tui import actions, themes
from lrtui.tui.arrangement import arrange, beside, pane_of_phase
from lrtui.tui.charts.curves import kept_in_place
from lrtui.tui.keymap import KEYMAP
from lrtui.tui.mouse import Mouse
from lrtui.tui.panels import LARGE, AnswerBar, Chart, Keys, Leaderboard, MessageLine, Tabs
from lrtui.tui.panels.chart_panel import ChartPanel
from lrtui.tui.panels.leaderboard import ordered
from lrtui.tui.snapshot_thread import (
    Alarmed,
    MachineRead,
    PagesRead,
    Reader,
    ReaderFailed,
    SnapshotTaken,
)
from lrtui.tui.terminal.diff_renderer import DiffRenderer
from lrtui.tui.terminal.driver import HungUp, TerminalDriver
from lrtui.tui.terminal.key_queue import KeyQueue
from lrtui.tui.user_keys import bell_wanted
from lrtui.tui.view_model import Notice, View, ViewModel

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.driver import Driver
    from textual.events import Event, Resize
    from textual.geometry import Size
    from textual.theme import Theme
    from textual.widget import Widget

    from lrtui.frontend.snapshot import Snapshot, SnapshotSource
    from lrtui.sweep.events import AnyCommand
    from lrtui.tui.view_model import Pane
    from lrtui.tui.view_store import ViewStore

HINT = "?: help   1 to 8: panes   q: detach, runs continue"
"""The hint for the first use of the monitor."""
ANSWER_SECONDS = 8.0
"""The minimum time that an answer is shown before an event may replace it."""


class Main(Screen[None], inherit_bindings=False):
    """The main screen; Textual's own keys (Tab, Ctrl-C, ...) are not bound on it."""

    AUTO_FOCUS = ""

    def on_resize(self, event: Resize) -> None:
        """Lay out each size once: Textual reports the first one three times, and each layout is drawn as a whole."""
        if event.size == self.outer_size:  # `size` is the app's, also before it is laid out
            event.prevent_default()


class Monitor(actions.Actions, Mouse, DiffRenderer, KeyQueue, inherit_bindings=False):
    """Shows one experiment directory until the user quits."""

    CSS_PATH = "lrtui.tcss"
    AUTO_FOCUS = ""
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, key.action, key.help, show=False, priority=True)
        for key in KEYMAP
        if key.action == "interrupt"
    ]
    """The keys that also work in dialogs; `key_queue` delivers the other keys."""

    theme: reactive[str] = reactive(themes.DARK.name, init=False)
    model: reactive[ViewModel] = reactive(
        ViewModel(), always_update=True, init=False, repaint=False
    )

    def __init__(
        self,
        directory: Path,
        *,
        view_only: bool = False,
        notice: str = "",
        most_bytes: int = 0,
        view_store: ViewStore | None = None,
        in_browser: bool = False,
        source: SnapshotSource | None = None,
    ) -> None:
        """Show `directory`, or what `source` follows there; with a view store, restore the view and store it on exit."""
        super().__init__(driver_class=_driver_of_browser() if in_browser else None)
        self.most_bytes = most_bytes
        self.animation_level = "none"
        self.directory = directory
        self.bug: BaseException | None = None
        """The internal error that ended the app."""
        self.deeds: deque[UndoEntry] = deque(maxlen=MOST_DEEDS)
        """The undoable actions of this monitor, the latest last."""
        self.under_way = 0
        """How many of its undoable actions are not done yet."""
        self.undo_waits = False
        """Whether the last one of them is to be undone when it is done."""
        self._looked_only = view_only
        self._said_at = time.monotonic()
        self._marks = RunColors()
        self._reader = Reader(directory, self.post_message)
        self._reader.source = source
        self._reader.rings = bell_wanted()
        self._shape: tuple[object, ...] = ()
        self._view_store = view_store
        view, theme = view_store.view() if view_store else (View(), "")
        view = replace(view, mouse=in_browser)
        self._hinting = view_store is not None and not view_store.preferences.hinted and not notice
        notice = HINT if self._hinting else notice
        self.set_reactive(Monitor.model, ViewModel(view=view, notice=Notice(notice)))
        if theme in themes.THEMES and theme != self.theme:
            self.set_reactive(Monitor.theme, theme)
            self.stylesheet.set_variables(self.get_css_variables())

    @override
    def get_default_screen(self) -> Screen[Any]:
        return Main(id="main-screen")

    @override
    def compose(self) -> ComposeResult:
        model = {"model": Monitor.model}
        yield AnswerBar("answer").data_bind(**model)
        yield Tabs("tabs").data_bind(**model)
        with Container(id="main"), Container(id="charts"):
            yield Chart(0).data_bind(**model)
        yield Leaderboard().data_bind(**model)
        yield Container(id="below")
        yield MessageLine("message").data_bind(**model)
        yield Keys("keys").data_bind(**model)

    @property
    @override
    def available_themes(self) -> dict[str, Theme]:
        """The available themes, without Textual's own, for which the charts have no colours."""
        return themes.textual()

    # ------------------------------------------------ life

    def on_mount(self) -> None:
        """Paint first; read and start everything else afterwards."""
        self._catch_signals()
        self._lay_out()
        self.app_resume_signal.subscribe(self, lambda _: self.action_redraw())
        self.call_after_refresh(self._reader.start)

    def on_unmount(self) -> None:
        """Stop the reader and store the view."""
        self._reader.end()
        if self._view_store is not None:
            self._view_store.keep(self.model.view, self.theme)

    def wait(self) -> None:
        """Give the reader a second to end; the terminal is restored by then."""
        if self._reader.is_alive():
            self._reader.join(1.0)

    @override
    async def on_event(self, event: Event) -> None:
        if self._hinting and isinstance(event, KeyEvent):
            self._end_hint()
        await super().on_event(event)

    def _end_hint(self) -> None:
        """Remove the first-use hint permanently."""
        self._hinting = False
        self.model = replace(self.model, notice=Notice())
        if self._view_store is not None:
            keep = partial(self._view_store.prefer, hinted=True)
            self.run_worker(keep, thread=True, exit_on_error=False)

    def _catch_signals(self) -> None:
        if threading.current_thread() is threading.main_thread():
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                loop.add_signal_handler(number, self._leave, 128 + number)

    def _leave(self, code: int) -> None:
        """Exit with the terminal restored; if that hangs (its other end is gone), exit without."""

        def give_up() -> None:
            if isinstance(self._driver, TerminalDriver):
                self._driver.rescue()
            os._exit(code)

        last = threading.Timer(2.0, give_up)
        last.daemon = True
        last.start()
        self.exit(code, return_code=code)

    def on_hung_up(self, _: HungUp) -> None:
        """Exit as on SIGHUP, which is not always sent."""
        self._leave(128 + signal.SIGHUP)

    @override
    def _handle_exception(self, error: Exception) -> None:
        """Keep an internal error for the caller, which logs it; Textual would print it over the terminal."""
        if self.is_headless:
            super()._handle_exception(error)
            return
        self.bug = self.bug or error
        self.exit(3, return_code=3)

    # ------------------------------------------------ messages of the reader

    def on_snapshot_taken(self, message: SnapshotTaken) -> None:
        """Show the directory as it is now."""
        snapshot = message.snapshot
        before = self.model.snapshot
        first = before is None
        if first and not gc.isenabled():
            gc.freeze()
            gc.enable()
        runs = snapshot.sweep.runs
        ranked = snapshot.watched is None
        marks = self._marks.of(
            (run.id, run.setting.lr if ranked else 0.0) for run in snapshot.sweep.trained()
        )
        why = snapshot.view_only or ("opened with --view" if self._looked_only else "")
        model = replace(
            self.model, snapshot=snapshot, verdicts=message.verdicts, marks=marks, view_only=why
        )
        happened = before is not None and before.sweep.n != snapshot.sweep.n
        if happened and not self._hinting and time.monotonic() - self._said_at > ANSWER_SECONDS:
            model = replace(model, notice=Notice())
        settling = before is not None and before.reading and not model.view.moved
        rows = ordered(model)
        if rows and (model.view.selected not in runs or settling):
            chosen = rows[0].runs[0]
            model = replace(model, view=replace(model.view, selected=chosen))
        if not model.view.chosen:
            model = replace(model, view=replace(model.view, pane=pane_of_phase(model)))
        self.model = kept_in_place(self.model, model)
        alone = snapshot.supervisor != "alive" if first else _fell_silent(before, snapshot)
        if alone and not why and snapshot.sweep.closed is None:
            self.run_worker(self._wake_supervisor, thread=True, exit_on_error=False)

    def on_pages_read(self, message: PagesRead) -> None:
        """Show the text of the run under the cursor."""
        self.model = replace(self.model, pages=message.pages)

    def on_machine_read(self, message: MachineRead) -> None:
        """Show the load of the machine."""
        self.model = replace(self.model, history=message.history)

    def on_alarmed(self, _: Alarmed) -> None:
        """Ring the bell."""
        self.bell()

    def on_reader_failed(self, message: ReaderFailed) -> None:
        """Exit with the reader's error: a monitor without updates would mislead."""
        self.bug = message.error
        self.exit(3, return_code=3)

    def watch_model(self, model: ViewModel) -> None:
        """Update the layout and the reader after a change of the model."""
        self._lay_out()
        self._reader.watched = model.view.pane == "hardware"
        standings = model.snapshot.standings if model.snapshot else []
        self._reader.show(
            model.run.id if model.run else "", standings[0].runs[0] if standings else ""
        )

    # ------------------------------------------------ sizes

    def on_resize(self, event: Resize) -> None:
        """Fit the new size, which Textual makes the app's own only after this."""
        self._lay_out(event.size)

    def _lay_out(self, size: Size | None = None) -> None:
        """Set the height of every panel if the arrangement has changed."""
        if not self.is_running or not self.screen_stack:
            return
        view, snapshot = self.model.view, self.model.snapshot
        rows = len(snapshot.standings) if snapshot else 8
        width, height = size or self.size
        panes = beside(self.model, width)
        shape = (width, height, rows, view.charts, view.pane, panes)
        if shape == self._shape:
            return
        self._shape = shape
        at = arrange(width, height, rows, view.charts)
        main = self.screen_stack[0]
        heights = {
            "answer": at.answer,
            "tabs": at.tabs,
            "main": at.main,
            "leaderboard": at.leaderboard,
            "below": at.below,
            "message": at.message,
            "keys": at.keys,
        }
        for name, lines in heights.items():
            widget = main.query_one(f"#{name}")
            widget.set_class(lines == 0, "gone")
            widget.styles.height = lines
        main.query_one("#charts").set_class(view.pane != "charts", "gone")
        self._show_panes(main.query_one("#main"), "large-", (view.pane,))
        self._show_panes(main.query_one("#below"), "", panes if at.below else ())
        grid = main.query_one("#charts")
        grid.styles.grid_size_columns = min(2, at.charts)
        grid.styles.grid_size_rows = 2 if at.charts > 2 else 1
        for slot in range(len(main.query(Chart)), at.charts):
            grid.mount(Chart(slot).data_bind(model=Monitor.model))
        for chart in main.query(Chart):
            chart.shown = at.charts
            chart.set_class(chart.slot >= at.charts, "gone")

    def _show_panes(self, place: Widget, prefix: str, wanted: Sequence[Pane]) -> None:
        """Show these panes in a container, in the order of LARGE; each is made when it is shown first."""
        last: Widget | None = None
        for pane, panel in LARGE.items():
            found = next((each for each in place.children if each.id == prefix + pane), None)
            if found is None and pane in wanted:
                found = panel(prefix + pane).data_bind(model=Monitor.model)
                place.mount(found, after=last) if last else place.mount(found, before=0)
            if found is not None:
                found.set_class(pane not in wanted, "gone")
                last = found

    @property
    @override
    def pane_rows(self) -> int:
        """The number of text lines in the large area."""
        return max(1, self.screen_stack[0].query_one("#main").size.height - 1)

    @property
    @override
    def charts_shown(self) -> int:
        """The number of charts on the screen."""
        return self.screen_stack[0].query_one("#chart0", Chart).shown

    def screen_lines(self) -> list[str]:
        """Return the content of the screen as text."""
        strips = self.screen._compositor.render_strips()  # noqa: SLF001  # as Textual's own export does
        return [strip.text.rstrip() for strip in strips]

    def charts_seen(self) -> list[ChartPanel]:
        """Return the chart panel in the large area, if any, and the charts."""
        main = self.screen_stack[0]
        large = main.query(f"#large-{self.model.view.pane}").results(ChartPanel)
        return [*large, *(chart for chart in main.query(Chart) if chart.slot < chart.shown)]

    # ------------------------------------------------ the supervisor

    def change_view(self, **changes: Any) -> None:
        """Change the view and remove the last answer; a pane is then the user's choice."""
        changes |= {"chosen": True} if "pane" in changes else {}
        self.model = replace(self.model, view=replace(self.model.view, **changes), notice=Notice())
        self._reader.look_now()

    def say(self, text: str, *, bad: bool = False) -> None:
        """Show one line until a key or, after a while, an event replaces it."""
        self._said_at = time.monotonic()
        self.model = replace(self.model, notice=Notice(text, bad=bad))

    def send(
        self,
        *commands: AnyCommand,
        doing: str,
        then_leave: int | None = None,
        remember: bool = True,
    ) -> None:
        """Send commands in a thread, each after the previous one was done; show the last answer in the message line."""
        self.say(f"{doing} ...")
        deed = None
        if remember and self.model.snapshot is not None:
            deed = UndoEntry(commands[-1], self.model.snapshot.sweep)
            self.under_way += 1
        work = partial(self._send, commands, deed, then_leave)
        self.run_worker(work, thread=True, exit_on_error=False)

    def _send(
        self, commands: Sequence[AnyCommand], deed: UndoEntry | None, then_leave: int | None
    ) -> None:
        from lrtui.sweep.mailbox import send  # not needed for the first paint

        done = False
        try:
            for command in commands:
                answer = send(self.directory, command)
                if not answer.ok:
                    break
            self._reader.catch_up()  # the answer and its undo must match the screen
            if answer.ok and deed is not None:
                self.deeds.append(deed)
                done = True
        except UserError as error:
            self.call_from_thread(self.say, str(error).replace("\n", ";"), bad=True)
            return
        except OSError as error:
            self.call_from_thread(self.say, f"cannot send the command: {error}", bad=True)
            return
        finally:
            if deed is not None:
                self.call_from_thread(self._ended, undo=done)
        hint = f"; {answer.hint}" if answer.hint else ""
        if answer.ok and then_leave is not None:
            self.call_from_thread(self.exit, then_leave)
        else:
            self.call_from_thread(self.say, answer.answer + hint, bad=not answer.ok)

    def _ended(self, *, undo: bool) -> None:
        """Count an undoable action as ended; undo it if it was carried out and the user has asked meanwhile."""
        self.under_way -= 1
        if self.under_way == 0 and self.undo_waits:
            self.undo_waits = False
            if undo:
                self.action_undo()

    def _wake_supervisor(self) -> None:
        from lrtui.sweep.mailbox import ensure_supervisor  # not needed for the first paint

        try:
            ensure_supervisor(self.directory)
        except UserError as error:
            self.call_from_thread(self.say, str(error).replace("\n", ";"), bad=True)


def _fell_silent(before: Snapshot | None, now: Snapshot) -> bool:
    return before is not None and (before.supervisor, now.supervisor) == ("alive", "silent")


def _driver_of_browser() -> type[Driver]:
    from lrtui.tui.terminal.web_driver import BrowserDriver  # only needed there

    return BrowserDriver


__all__ = ["Monitor", "View"]
