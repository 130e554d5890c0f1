"""[alerts]: real supervisors, a real command, a real web server on the loopback interface."""

import http.server
import json
import socket
import sys
import threading
from pathlib import Path

import pytest

from lrtui.config import parse
from lrtui.config.alerts_section import KINDS
from lrtui.errors import ExperimentError
from lrtui.supervisor import alerts
from lrtui.supervisor.alerts import AT_ONCE, AlertSender
from lrtui.sweep import events as ev
from lrtui.sweep.state import fold
from tests.fuzz.__main__ import CONTROL
from tests.hostile.texts import TEXTS
from tests.sweep.test_state import PLAN, numbered, queued
from tests.until import until

TELLER = """
import json, sys
letter = json.load(sys.stdin)
with open(sys.argv[1], "a") as file:
    file.write(json.dumps([sys.argv[2:], letter]) + "\\n")
"""
FILE = 'dataset = "digits"\nmodel = "linear"\nepochs = 1\nlr = [1e-3]\n'


@pytest.fixture
def teller(lab):
    script = lab.folder / "teller.py"
    script.write_text(TELLER)
    return f"command = ['{sys.executable}', '{script}', '{lab.folder / 'told'}', '{{kind}}', '{{text}}']"


def told(lab):
    file = lab.folder / "told"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_a_failure_and_the_end_are_told_once_each(lab, teller):
    lab.start(flags="--fail", extra=f"[alerts]\n{teller}\n")
    lab.closed()
    found = until(lambda: len(told(lab)) >= 2 and told(lab))
    lab.kill_supervisor()
    lab.revive()
    until(lambda: lab.sweep.closed)
    assert len(told(lab)) == 2
    kinds = [words[0] for words, _ in found]
    assert sorted(kinds) == ["closed", "failed"]
    words, letter = found[kinds.index("failed")]
    assert words == [letter["kind"], letter["text"]]
    assert letter["text"].startswith("lrtui lab: r01 1e-03 failed: exit code 1: stub: cannot find")
    assert (letter["run"], letter["directory"]) == ("r01", str(lab.directory))


def test_only_what_was_asked_for_is_told(lab, teller):
    lab.start(flags="--fail", extra=f"[alerts]\n{teller}\non = 'closed'\n")
    lab.closed()
    found = until(lambda: told(lab))
    assert [words[0] for words, _ in found] == ["closed"]


def test_a_command_that_cannot_be_started_harms_nothing(lab):
    lab.start(extra="[alerts]\ncommand = ['no-such-program', '{text}']\n")
    assert lab.closed().code == 0
    until(lambda: "no-such-program" in (lab.directory / "supervisor.log").read_text())


def test_a_webhook_that_never_answers_holds_up_nothing(monkeypatch):
    """Sending starts a process and returns; one that takes too long is ended at a later tick."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        made = alerting(f"webhook = 'http://127.0.0.1:{server.getsockname()[1]}/x'")
        made.notify([{"kind": "failed", "text": "r01"}])
        connection, _ = server.accept()
        made.notify([])
        ((child, _),) = made._living
        assert child.poll() is None
        monkeypatch.setattr(alerts, "SECONDS", -1.0)
        made.notify([])
        assert child.poll() is not None
        connection.close()


def test_a_webhook_gets_the_letter_and_its_address_stands_in_no_file(lab, monkeypatch):
    got = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/very-secret"
    monkeypatch.setenv("MY_HOOK", address)
    lab.start(extra='[alerts]\nwebhook = "$MY_HOOK"\n')
    lab.closed()
    (letter,) = until(lambda: got)
    server.shutdown()
    assert letter["kind"] == "closed"
    assert "use lr = 1e-03" in letter["text"]
    files = [path for path in lab.directory.rglob("*") if path.is_file()]
    assert not [path for path in files if b"very-secret" in path.read_bytes()]


def sweep_of(*events):
    return fold(numbered([ev.SweepOpened(plan=PLAN), queued(), *events]))


def alerting(text):
    return AlertSender(parse(f"{FILE}[alerts]\n{text}", "x.toml").alerts, "/d", "/")


def test_what_a_worker_wrote_stays_one_word_without_control_characters(tmp_path):
    teller = tmp_path / "teller.py"
    teller.write_text(TELLER)
    hostile = 'x"; rm -rf $HOME `id` {directory} \x1b]0;title\x07 [red]'
    events = numbered([ev.Warned(text=hostile)])
    made = alerting(
        f"command = ['{sys.executable}', '{teller}', '{tmp_path / 'told'}', '{{text}}', '{{no}}{{kind}}']".replace(
            "{no}", "_"
        )
    )
    made.notify(made.due(sweep_of(), events))
    until((tmp_path / "told").exists)
    ((words, _),) = [json.loads(line) for line in until((tmp_path / "told").read_text).splitlines()]
    assert words[1] == "_warning"
    assert 'x"; rm -rf $HOME `id` {directory} ' in words[0]
    assert "\x1b" not in words[0]
    assert "\x07" not in words[0]


def test_of_a_flood_a_few_are_told_and_the_rest_is_counted():
    made = alerting("command = ['true']")
    events = numbered([ev.Warned(text=f"w{i}") for i in range(100)])
    letters = made.due(sweep_of(), events)
    assert len(letters) == AT_ONCE
    assert "and 96 more" in letters[-1]["text"]
    assert made.due(sweep_of(ev.Alerted(of=100)), events) == []


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("comand = ['x']", "6:1", "unknown key"),
        ("command = 'notify-send'", "6:11", "list of strings"),
        ("command = ['x', '{txt}']", "6:11", "unknown placeholder"),
        ("webhook = 'slack.com/x'", "6:11", "web address"),
        ("command = ['x']\non = ['failed', 'finnished']", "7:6", "unknown kind of alert"),
        ("on = ['failed']", "5:", "neither a command nor a webhook"),
    ],
)
def test_faults_are_named_with_their_place(text, place, what):
    with pytest.raises(ExperimentError) as caught:
        parse(f"{FILE}[alerts]\n{text}\n", "x.toml")
    assert f"x.toml:{place}" in str(caught.value)
    assert what in str(caught.value)


def test_without_alerts_nobody_is_told():
    assert not parse(FILE, "x.toml").alerts
    assert parse(f"{FILE}[alerts]\ncommand = ['x']", "x.toml").alerts.on == KINDS


def test_hostile_reasons_reach_command_and_input_as_one_harmless_word(lab):
    """What a worker's last line may say: through the very code that a supervisor starts commands with."""
    script = lab.folder / "teller.py"
    script.write_text(TELLER)
    words = [sys.executable, str(script), str(lab.folder / "told"), "{kind}", "{text}", "{run}"]
    alerting = AlertSender(parse_alerts(words), lab.folder, str(lab.folder))
    sweep = fold(numbered([ev.SweepOpened(plan=PLAN), queued("r01")]))
    for number, text in enumerate(TEXTS, start=1):
        event = ev.RunEnded(run="r01", attempt=1, kind="failed", code=1, why=text, n=sweep.n + 1)
        alerting.notify(alerting.due(sweep, [event]))
        until(lambda number=number: len(told(lab)) == number)
    for got, letter in told(lab):
        assert got == [letter["kind"], letter["text"], letter["run"]]
        assert letter["text"].startswith("lrtui ")
        assert len(letter["text"]) <= 500
        assert not CONTROL.search(json.dumps(got, ensure_ascii=False)), got
    assert not (lab.folder / "owned").exists()
    assert not Path("/tmp/owned").exists()  # where one of the texts would put it


def parse_alerts(words):
    return parse(f"{FILE}[alerts]\ncommand = {json.dumps(words)}\n", "x.toml").alerts
