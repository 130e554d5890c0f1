"""The report of a closed sweep is written beside the loop, never within it."""

import subprocess
import sys

import pytest

from lrtui.supervisor import report_process
from lrtui.supervisor.report_process import ReportProcess
from tests.until import until


class FakeProcess:
    """A report that ends when the test says so."""

    def __init__(self) -> None:
        self.code: int | None = None

    def poll(self) -> int | None:
        return self.code

    def kill(self) -> None:
        self.code = -9

    def wait(self) -> int | None:
        return self.code


@pytest.fixture
def begun() -> list[FakeProcess]:
    return []


@pytest.fixture
def report(begun) -> ReportProcess:
    def begin() -> FakeProcess:
        begun.append(FakeProcess())
        return begun[-1]

    return ReportProcess(begin)


def test_ticks_go_on_while_it_is_written(report, begun) -> None:
    assert report.tick(0)
    assert begun == []
    assert not report.tick(7)
    assert not report.tick(7)
    begun[0].code = 0
    assert report.tick(7)
    assert report.tick(7)
    assert len(begun) == 1


def test_a_reopened_sweep_gets_its_second_report_after_the_first(report, begun) -> None:
    assert not report.tick(7)
    assert not report.tick(0)
    assert not report.tick(12)
    assert len(begun) == 1
    begun[0].code = 0
    assert not report.tick(12)
    assert len(begun) == 2


def test_a_report_that_hangs_is_given_up(report, begun, monkeypatch) -> None:
    monkeypatch.setattr(report_process, "MOST_SECONDS", -1.0)
    assert not report.tick(7)
    assert report.tick(7)
    assert begun[0].code == -9


def test_a_report_that_cannot_start_is_left_out() -> None:
    def begin() -> subprocess.Popen[bytes]:
        raise OSError("no memory")

    assert ReportProcess(begin).tick(7)


def test_a_process_that_blocks_holds_up_no_tick() -> None:
    """With a real process, which waits for the end of its input."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    report = ReportProcess(lambda: child)
    assert not report.tick(7)
    assert not report.tick(7)
    child.stdin.close()
    until(lambda: report.tick(7))
