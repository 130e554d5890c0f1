"""The verbs. `main` is the one door through which anything reaches the user as an error.

`lrtui FILE.toml` and `lrtui DIR` need no verb: they start what is not finished, attach where a supervisor lives, and view what
has ended.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from lrtui import __version__
from lrtui.errors import MachineError, UserError
from lrtui.text.clean import clean

USAGE_EXIT = 2
BUG_EXIT = 3
INTERRUPTED_EXIT = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run lrtui with the given words (default: those of the process); return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options = _parser().parse_args(_with_verb(words))
        run: Callable[[argparse.Namespace], int] = options.run
        return run(options)
    except UserError as error:
        print(f"lrtui: {error}" if not hasattr(error, "faults") else str(error), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"lrtui: {error.filename or ''}: {error.strerror}", file=sys.stderr)
        return MachineError.exit_code
    except Exception:  # noqa: BLE001  # the one door
        return _bug()


def _bug() -> int:
    with tempfile.NamedTemporaryFile("w", prefix="lrtui-bug-", suffix=".log", delete=False) as file:
        traceback.print_exc(file=file)
    print(
        f"lrtui: a bug of lrtui, not of yours; what is known stands in {file.name}", file=sys.stderr
    )
    print(
        "  Runs go on; `lrtui DIR` attaches again. Please send the file to the authors.",
        file=sys.stderr,
    )
    return BUG_EXIT


def _with_verb(words: list[str]) -> list[str]:
    """Put the verb `open` before a file or directory that stands first."""
    if words and (words[0] in _VERBS or words[0] in ("-h", "--help", "--version")):
        return words
    return ["open", *words] if words else ["--help"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lrtui",
        description="Finds the learning rate: one command, N learning rates, steered live, runs outlive the terminal.",
        usage="lrtui FILE.toml | DIR [options]\n       lrtui VERB DIR [RUN]",
        epilog="Exit codes: 0 an answer; 1 some run failed or was lost, or none finished; 2 usage or a bad file; 3 a bug of lrtui; "
        "4 stopped by you; 5 the machine (disk, data, GPU); 6 owned by another host or user; 130 Ctrl-C (detaches, runs go on).",
    )
    parser.add_argument("--version", action="version", version=f"lrtui {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for name, (add, what) in _VERBS.items():
        verb = verbs.add_parser(name, help=what, description=what)
        add(verb)
    return parser


# ── open ──────────────────────────────────────────────────────────────────────────────────────────


def _add_open(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("path", type=Path, metavar="FILE.toml|DIR")
    verb.add_argument("--headless", action="store_true", help="log mode: one line per event")
    verb.add_argument("--json", action="store_true", help="log mode in JSON lines")
    verb.add_argument(
        "--plain",
        action="store_true",
        help="for screen readers: changes said in sentences, commands typed as words",
    )
    _add_max_bytes(verb)
    verb.add_argument("--dir", type=Path, help="the experiment directory (default: runs/NAME)")
    verb.add_argument("--new", action="store_true", help="start another sweep: runs/NAME-2")
    _add_ownership(verb)
    verb.add_argument("--browser", type=_size, help=argparse.SUPPRESS)  # a tab of `lrtui serve`
    _add_overrides(verb)
    verb.set_defaults(run=_open)


def _add_ownership(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--resume", action="store_true", help="go on after a stop")
    verb.add_argument("--view", action="store_true", help="only look; start nothing")
    verb.add_argument(
        "--takeover", action="store_true", help="own a copy, or a directory of another host"
    )


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def _add_max_bytes(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--max-bytes",
        type=int,
        default=os.environ.get("LRTUI_MAX_BYTES", "0"),
        metavar="N",
        help="send the terminal at most N bytes a second (also LRTUI_MAX_BYTES), for a metered or slow link",
    )


def _max_bytes(options: argparse.Namespace) -> int:
    most = int(options.max_bytes)
    if most and most < _FEWEST_BYTES:
        raise UserError(
            f"--max-bytes {most} is too few to draw with",
            hint=f"give at least {_FEWEST_BYTES}, or 0 for no limit",
        )
    return most


_FEWEST_BYTES = 200


def _add_overrides(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--dataset", help="instead of the file's, e.g. synthetic")
    verb.add_argument("--epochs", help="instead of the file's")
    verb.add_argument("--lr", help="instead of the file's, e.g. '[1e-3, 1e-2]'")
    verb.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any key of the file"
    )


def _overrides(options: argparse.Namespace) -> dict[str, str]:
    found = {}
    for pair in options.set:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UserError(
                f"--set takes KEY=VALUE, not {pair!r}", hint="for example: --set batch_size=64"
            )
        found[key.strip()] = value.strip()
    for key in ("dataset", "epochs", "lr"):
        if getattr(options, key) is not None:
            found[key] = getattr(options, key)
    return found


def _open(options: argparse.Namespace) -> int:
    from lrtui.cli import attach

    if options.browser:
        return attach.in_browser(options.path, options.browser, view=options.view)
    most_bytes = _max_bytes(options)
    directory, made = attach.directory_of(
        options.path, _overrides(options), under=options.dir, new=options.new
    )
    asked = options.headless or options.json or options.plain or not sys.stdout.isatty()
    undrawn = "" if asked else attach.why_not_drawn()
    if undrawn:
        print(f"{undrawn}; log mode instead of the monitor")
    log_mode = asked or bool(undrawn)
    if made or not options.json:
        print(f"experiment directory: {directory}", file=sys.stderr if log_mode else sys.stdout)
    why_view = attach.prepare(
        directory, resume=options.resume, view=options.view, takeover=options.takeover
    )
    if log_mode:
        code = _log(directory, options, why_view)
        if code != INTERRUPTED_EXIT and not why_view and not options.plain:
            from lrtui.cli import inspect

            written = inspect.write_report(directory)
            print(f"report: {written.paths[0]}", file=sys.stderr)
            if written.missing:
                print(f"lrtui: {written.missing}", file=sys.stderr)
        return code
    return attach.monitor(directory, why_view, most_bytes)


def _log(directory: Path, options: argparse.Namespace, why_view: str) -> int:
    """Tell what happens in lines instead of pictures; return the exit code."""
    if options.plain:
        from lrtui.frontend import screenreader

        return screenreader.run(directory, view_only=why_view, start=not options.view)
    from lrtui.frontend import log_mode as headless

    return headless.run(directory, json=options.json, start=not options.view)


def _add_serve(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("path", type=Path, metavar="FILE.toml|DIR")
    verb.add_argument("--port", type=int, default=0, metavar="N", help="default: a free one")
    verb.add_argument(
        "--host",
        default="127.0.0.1",
        help="listen there instead of for this machine alone (127.0.0.1); the one name or address that browsers may ask for",
    )
    _add_ownership(verb)
    verb.set_defaults(run=_serve)


def _serve(options: argparse.Namespace) -> int:
    from lrtui.cli import attach, web

    web.require()
    with web.listen(options.host, options.port) as listening:
        directory, _ = attach.directory_of(options.path, {}, under=None, new=False)
        print(f"experiment directory: {directory}")
        attach.prepare(
            directory, resume=options.resume, view=options.view, takeover=options.takeover
        )
        code = web.run(directory, listening, options.host, view_only=options.view)
    print(attach.farewell(directory))
    return code


# ── verbs that look ───────────────────────────────────────────────────────────────────────────────


def _add_check(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("path", type=Path, metavar="FILE.toml")
    _add_overrides(verb)
    verb.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    from lrtui.config import describe, load
    from lrtui.config.schedule_charts import draw

    experiment = load(options.path, _overrides(options))
    print(*describe(experiment), sep="\n", flush=True)
    for line in draw(experiment):  # asks the trainer, which takes a second or two
        print(line)
    return 0


def _add_status(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("directory", type=Path, metavar="DIR")
    verb.add_argument("--json", action="store_true", help="one JSON object")
    verb.set_defaults(run=_status)


def _status(options: argparse.Namespace) -> int:
    from lrtui.cli import inspect

    return inspect.status(options.directory, as_json=options.json)


def _add_replay(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("directory", type=Path, metavar="DIR")
    verb.add_argument(
        "--speed", type=float, default=20.0, metavar="X", help="times as fast as it was (20)"
    )
    _add_max_bytes(verb)
    verb.set_defaults(run=_replay)


def _replay(options: argparse.Namespace) -> int:
    from lrtui import tui
    from lrtui.cli import attach

    most_bytes = _max_bytes(options)
    return tui.replay(attach.existing(options.directory), options.speed, most_bytes=most_bytes)


def _add_report(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("directory", type=Path, metavar="DIR")
    for form, what in _REPORTS.items():
        verb.add_argument(f"--{form}", action="store_true", help=what)
    verb.set_defaults(run=_report)


_REPORTS = {
    "md": "report.md: for people, as text",
    "json": "report.json: for programs; docs/report.md describes it",
    "html": "report.html: for people, with charts, one file",
    "csv": "report.csv, a row per run, and curves.csv",
    "svg": "the charts: sensitivity.svg, curves.svg, ranges.svg",
    "png": "the charts: sensitivity.png, curves.png, ranges.png",
}
"""Those named are written; without any md, json, html and csv."""


def _report(options: argparse.Namespace) -> int:
    from lrtui.cli import inspect

    asked = [form for form in _REPORTS if getattr(options, form)]
    written = inspect.write_report(options.directory, asked)
    for path in written.paths:
        print(path)
    if written.missing:
        print(f"lrtui: {written.missing}", file=sys.stderr)
    return MachineError.exit_code if written.missing and asked else 0


def _add_ls(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("under", type=Path, nargs="?", default=Path("runs"), metavar="DIR")
    verb.set_defaults(run=_ls)


def _ls(options: argparse.Namespace) -> int:
    from lrtui.cli import inspect

    return inspect.ls(options.under)


def _add_explain(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("directory", type=Path, metavar="DIR")
    verb.add_argument("runs", nargs="*", metavar="RUN")
    verb.set_defaults(run=_explain)


def _explain(options: argparse.Namespace) -> int:
    from lrtui.cli import inspect

    return inspect.explain(options.directory, options.runs)


def _add_doctor(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("directory", type=Path, nargs="?", metavar="DIR")
    verb.add_argument("--json", action="store_true", help="one JSON object")
    verb.add_argument("--repair", action="store_true", help="mend in DIR what is safe to mend")
    verb.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    from lrtui.cli.doctor import visit

    if options.directory is not None:
        return visit.directory_visit(options.directory, as_json=options.json, repair=options.repair)
    if options.repair:
        raise UserError(
            "--repair mends an experiment directory, and none was named",
            hint="name it: lrtui doctor DIR --repair",
        )
    return visit.machine_visit(as_json=options.json)


# ── verbs that command ────────────────────────────────────────────────────────────────────────────


def _add_run_verb(verb: argparse.ArgumentParser, name: str) -> None:
    verb.add_argument("directory", type=Path, metavar="DIR")
    verb.add_argument("runs", nargs="+", metavar="RUN", help="r03, or a learning rate such as 3e-4")
    if name == "restart":
        verb.add_argument(
            "--from-checkpoint", action="store_true", help="go on from the last checkpoint"
        )
    verb.set_defaults(run=_command_runs, verb=name)


def _command_runs(options: argparse.Namespace) -> int:
    from lrtui.cli import attach, inspect
    from lrtui.sweep import events as ev

    checkpoint = bool(getattr(options, "from_checkpoint", False))
    make: dict[str, Callable[[str], ev.AnyCommand]] = {
        "kill": lambda run: ev.KillRun(run=run),
        "restart": lambda run: ev.RestartRun(run=run, checkpoint=checkpoint),
        "pause": lambda run: ev.PauseRun(run=run),
        "resume": lambda run: ev.ResumeRun(run=run),
        "freeze": lambda run: ev.FreezeRun(run=run),
    }
    directory = attach.ours(options.directory)
    runs = inspect.find_runs(directory, options.runs)
    return max(_send(directory, make[options.verb](run)) for run in runs)


def _add_add(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("directory", type=Path, metavar="DIR")
    verb.add_argument("--lr", type=float, required=True, help="the learning rate of the new run")
    verb.add_argument("--like", metavar="RUN", help="take the other settings of this run")
    verb.add_argument("--seed", type=int)
    verb.set_defaults(run=_add_run)


def _add_run(options: argparse.Namespace) -> int:
    from lrtui.cli import attach
    from lrtui.sweep import events as ev

    directory = attach.ours(options.directory)
    return _send(directory, ev.AddRun(lr=options.lr, parent=options.like, seed=options.seed))


def _add_parallel(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("directory", type=Path, metavar="DIR")
    verb.add_argument("parallel", type=int, metavar="N")
    verb.set_defaults(run=_parallel)


def _parallel(options: argparse.Namespace) -> int:
    from lrtui.cli import attach
    from lrtui.sweep import events as ev

    return _send(attach.ours(options.directory), ev.SetParallel(parallel=options.parallel))


def _add_stop(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("directory", type=Path, metavar="DIR")
    verb.set_defaults(run=_stop)


def _stop(options: argparse.Namespace) -> int:
    from lrtui.cli import attach
    from lrtui.sweep import events as ev

    directory = attach.ours(options.directory)
    code = _send(directory, ev.StopSweep())
    if code == 0:
        print(f"  to go on: lrtui {directory} --resume")
    return code


def _send(directory: Path, command: object) -> int:
    """Send one command and print its answer; 0 where it was carried out, 2 where it was refused."""
    from lrtui.sweep.mailbox import send

    answer = send(directory, command)  # type: ignore[arg-type]
    said = clean(answer.answer)
    print(
        said if answer.ok else f"lrtui: refused: {said}",
        file=sys.stdout if answer.ok else sys.stderr,
    )
    if answer.hint and not answer.ok:
        print(f"  {clean(answer.hint).replace(' DIR', f' {directory}')}", file=sys.stderr)
    return 0 if answer.ok else USAGE_EXIT


def _run_verb(name: str) -> Callable[[argparse.ArgumentParser], None]:
    return lambda verb: _add_run_verb(verb, name)


_VERBS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], str]] = {
    "open": (_add_open, "start, attach to, or view an experiment (the verb may be left out)"),
    "check": (_add_check, "validate a file and say what would run"),
    "status": (_add_status, "one look"),
    "stop": (_add_stop, "end the sweep; runs checkpoint"),
    "kill": (_run_verb("kill"), "end a run"),
    "restart": (_run_verb("restart"), "start an ended run again"),
    "pause": (_run_verb("pause"), "let a run checkpoint and exit"),
    "resume": (_run_verb("resume"), "go on with a paused or frozen run"),
    "freeze": (_run_verb("freeze"), "halt a run in memory"),
    "add": (_add_add, "add a run with another learning rate"),
    "parallel": (_add_parallel, "set how many runs at once"),
    "explain": (_add_explain, "say why a run waits or ended"),
    "report": (_add_report, "write the report: md, json, html, csv, and charts as svg and png"),
    "serve": (
        _add_serve,
        "the monitor in a browser, for this machine alone: prints its address; Ctrl-C ends it, never the runs",
    ),
    "replay": (_add_replay, "play a recorded sweep again in the monitor; nothing is launched"),
    "ls": (_add_ls, "the experiments under runs/"),
    "doctor": (_add_doctor, "what this machine offers, or the state of a directory"),
}
