"""Runs the checks chapter by chapter and prints the findings as text or as one JSON object. The verb calls `machine_visit` or `directory_visit`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from lrtui.cli.doctor import disk, machine, prepared_data, pytorch, terminal
from lrtui.cli.doctor.finding import Check, Finding, Mark, fail
from lrtui.errors import MachineError
from lrtui.text.clean import clean

CHAPTERS: dict[str, Mapping[str, Check]] = {
    "machine": machine.CHECKS,
    "files": disk.CHECKS,
    "data": prepared_data.CHECKS,
    "terminal": terminal.CHECKS,
}
_RED_DIRECTORY = 1
_COLOURS = {Mark.OK: "32", Mark.WARN: "33", Mark.FAIL: "31;1"}


@dataclass
class Sheet:
    """What was found so far; printed as it comes, or kept for the JSON object."""

    as_json: bool
    directory: Path | None = None
    lines: list[dict[str, object]] = field(default_factory=list)
    red: int = 0
    warnings: int = 0

    def chapter(self, name: str, checks: Mapping[str, Check]) -> None:
        """Run a chapter's checks and print what each found."""
        name = clean(name)
        self._print(name)
        for label, check in checks.items():
            try:
                found = check()
            except OSError as error:
                what = f"the check failed: {error.strerror} {error.filename or ''}"
                found = [fail(what, "check that the path exists and can be read and written")]
            for finding in found:
                self.say(name, label, finding)

    def say(self, chapter: str, label: str, finding: Finding) -> None:
        """Count one finding and print it."""
        what, hint, file = (clean(text) for text in (finding.what, finding.hint, finding.file))
        line = {
            "chapter": chapter,
            "check": label,
            "mark": str(finding.mark),
            "what": what,
            "hint": hint,
        }
        self.lines.append({**line, "file": file})
        self._print(f"  {self._mark(finding.mark)}  {label:<12} {what}")
        if hint and finding.mark is not Mark.OK:
            self._print(f"{'':21}-> {hint}")
        self.red += finding.mark is Mark.FAIL
        self.warnings += finding.mark is Mark.WARN

    def close(self, red_code: int) -> int:
        """Print the totals; return the exit code."""
        code = red_code if self.red else 0
        if self.as_json:
            where = None if self.directory is None else clean(str(self.directory))
            content = {"version": 1, "directory": where, "findings": self.lines, "code": code}
            text = msgspec.json.format(msgspec.json.encode(content), indent=1).decode()
            sys.stdout.write(text + "\n")
        else:
            self._print(f"{self.red} to fix, {self.warnings} warning(s)")
        return code

    def _print(self, line: str) -> None:
        if not self.as_json:
            encoding = sys.stdout.encoding or "utf-8"
            print(line.encode(encoding, "replace").decode(encoding), flush=True)

    def _mark(self, mark: Mark) -> str:
        padded = f"{mark:<4}"
        if not sys.stdout.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
            return padded
        return f"\x1b[{_COLOURS[mark]}m{padded}\x1b[0m"


def machine_visit(*, as_json: bool) -> int:
    """Check this machine; return 0, or 5 if something prevents training."""
    sheet = Sheet(as_json)
    with pytorch.Probe() as probe:
        for name, checks in CHAPTERS.items():
            sheet.chapter(name, checks)
        sheet.chapter("torch", pytorch.checks(probe))
    return sheet.close(MachineError.exit_code)


def directory_visit(path: Path, *, as_json: bool) -> int:
    """Check an experiment directory; return 0, or 1 if something in it is damaged or lost.

    Raises:
        UserError: it is not an experiment directory.

    """
    from lrtui.cli.doctor import sweep_directory

    case = sweep_directory.open_case(path)
    sheet = Sheet(as_json, path)
    sheet.chapter(str(path), sweep_directory.checks(case))
    return sheet.close(_RED_DIRECTORY)
