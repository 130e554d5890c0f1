"""supervisor.log."""

import logging
import shutil

from lrtui.supervisor import __main__ as supervisor


def test_the_log_keeps_its_latest_lines_and_no_more_than_twice_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "_LOG_BYTES", 1000)
    path = tmp_path / "supervisor.log"
    log = supervisor.Log(path)
    for n in range(100):
        log.emit(logging.makeLogRecord({"msg": f"{n:03} {'x' * 40}"}))
    both = path.with_suffix(".log.1").read_text() + path.read_text()
    assert [line[:3] for line in both.splitlines()] == [f"{n:03}" for n in range(100)][-len(both) // 45 :]  # fmt: skip
    assert len(both) < 2100
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name, f"{path.name}.1"]
    log.close()
    shutil.rmtree(tmp_path)
    log.emit(logging.makeLogRecord({"msg": "a line without a folder raises nothing"}))
