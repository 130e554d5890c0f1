"""Searches: halving, resuming, scripts that can do less, budgets, supervisors that are lost in between."""

import json
import sys
from pathlib import Path

import pytest

from lrtui.sweep import events as ev
from tests.supervisor.lab import Lab
from tests.until import until

CURVE = Path(__file__).parent.parent / "curve.py"
FULL = "--until={until} --steps={horizon} --checkpoint={checkpoint} --lr-to={lr_to} --lr-steps={lr_steps}"


@pytest.fixture
def lab(in_process):
    return in_process


def search(lab: Lab, words=FULL, lr='"auto"', extra="", schedule="constant") -> Lab:
    argv = [sys.executable, str(CURVE), "{lr}", *words.split()]
    command = ", ".join(f"'{word}'" for word in argv)
    file = lab.folder / "lab.toml"
    file.write_text(
        f'command = [{command}]\nsteps = 27\nmetric = "max val_acc"\noptimizer = "adam"\nschedule = "{schedule}"\n'
        f"lr = {lr}\nparallel = 3\n{extra}\n"
    )
    return lab.open(file)


def kinds(lab: Lab) -> dict[float, str]:
    return {run.setting.lr: run.ending.kind for run in lab.sweep.trained() if run.ending}


def test_auto_finds_the_peak_and_says_at_what_cost(lab):
    search(lab)
    assert lab.closed(120).code == 0
    sweep = lab.sweep
    tested = sweep.ranges["t01"]
    assert 3e-4 < tested.valley < 3e-2
    assert tested.diverged is not None
    assert [rung.level for rung in sweep.rungs] == [3, 9]
    assert sorted(kinds(lab).values()).count("finished") == 2
    assert sweep.verdict.lr == min(
        kinds(lab), key=lambda lr: abs(lr / 1e-2 - 1) if kinds(lab)[lr] == "finished" else 9e9
    )
    for run in sweep.trained():
        told = [attempt.resumed_from for attempt in run.attempts]
        assert told == [None, *range(1, len(told))], "a promoted run goes on from its checkpoint"
        assert run.spent == pytest.approx(run.attempts[-1].until)
    assert sweep.spent == pytest.approx(100 + sum(run.spent for run in sweep.trained()))


def test_the_finalists_of_auto_get_further_seeds(lab):
    words = "--until={until} --steps={horizon} --checkpoint={checkpoint} --seed={seed}"
    search(lab, words=words, lr="{ auto = 5, from = 1e-4, to = 1 }", extra="seeds = 3")
    assert lab.closed(180).code == 0
    finished = [run for run in lab.sweep.trained() if run.ending.kind == "finished"]
    by_lr = {}
    for run in finished:
        by_lr.setdefault(run.setting.lr, set()).add(run.seed)
    assert len(by_lr) == 2
    assert all(seeds == {0, 1, 2} for seeds in by_lr.values())


def test_a_script_that_cannot_resume_runs_again_and_is_charged(lab):
    search(lab, words="--until={until} --steps={horizon}", lr="{ auto = 5, from = 1e-4, to = 1 }")
    assert lab.closed(120).code == 0
    finished = [run for run in lab.sweep.trained() if run.ending.kind == "finished"]
    assert len(finished) == 2
    assert all(run.spent == pytest.approx(3 + 9 + 27) for run in finished)


def test_a_script_that_knows_no_until_is_stopped_at_the_rung_and_not_judged_beyond_it(lab):
    words = "--steps={horizon} --checkpoint={checkpoint}"
    search(lab, words=words, lr="{ auto = 5, from = 1e-4, to = 1 }")
    assert lab.closed(180).code == 0
    assert sorted(kinds(lab).values()).count("finished") == 2
    for run in lab.sweep.trained():
        untils = {attempt.number: attempt.until for attempt in run.attempts}
        assert all(reached.level <= untils[reached.attempt] for reached in run.reached)


def test_the_supervisor_is_killed_in_the_middle_and_nothing_changes(lab):
    search(lab)
    survives(lab)


def survives(lab):
    """Kill the supervisor after each rung; the answer is as without."""
    for rung in range(2):
        until(lambda rung=rung: len(lab.sweep.rungs) > rung, 60)
        lab.kill_supervisor()
        lab.revive()
    assert lab.closed(120).code == 0
    sweep = lab.sweep
    assert [rung.level for rung in sweep.rungs] == [3, 9]
    assert sorted(kinds(lab).values()).count("finished") == 2
    assert abs(sweep.verdict.lr / 1e-2 - 1) < 1.5


def test_a_failed_range_test_gives_way_to_the_usual_lr(lab):
    search(lab, words=f"{FULL} --no-range")
    assert lab.closed(120).code == 0
    sweep = lab.sweep
    assert sweep.runs["t01"].ending.kind == "failed"
    assert "no range test" in sweep.runs["t01"].ending.why
    assert sweep.verdict.lr is not None


def test_a_budget_ends_the_sweep_with_a_provisional_answer_and_resume_goes_on(lab):
    search(lab, lr="{ auto = 7, from = 1e-4, to = 1 }", extra='budget = "30 steps"')
    closed = lab.closed(120)
    assert closed.code == 0
    assert "budget of 30 steps" in closed.why
    sweep = lab.sweep
    assert 21 <= sweep.spent <= 45
    assert sweep.verdict.provisional
    lab.revive()
    answer = lab.send(ev.ReopenSweep())
    assert answer.ok, answer
    until(lambda: lab.sweep.closed and lab.sweep.n > sweep.n + 10 and lab.sweep.closed, 120)
    assert sorted(kinds(lab).values()).count("finished") == 2
    assert not lab.sweep.verdict.provisional


def lingers(_words, environment, _out):
    """Train to the end, and stay."""
    with open(environment["LRTUI_METRICS"], "w") as metrics:
        metrics.writelines(
            json.dumps({"step": step, "val_acc": 0.1 * step}) + "\n" for step in range(1, 6)
        )
    while True:
        yield


def test_a_run_that_is_paused_after_its_last_step_has_finished(lab):
    lab.launcher.scripts["lingers.py"] = lingers
    lab.start(words=[sys.executable, "lingers.py", "{lr}", "{checkpoint}", "{until}"])
    until(lambda: lab.run() and lab.run().state == "running")
    lab.send(ev.PauseRun(run="r01"))
    assert lab.closed(60).code == 0
    assert lab.run().ending.kind == "finished"


def test_a_beaten_run_that_is_restarted_trains_to_the_end(lab):
    search(lab, lr="{ auto = 5, from = 1e-4, to = 1 }")
    lab.closed(120)
    beaten = next(run for run in lab.sweep.trained() if run.ending.kind == "pruned")
    assert beaten.ending.rule == "beaten"
    assert lab.send(ev.RestartRun(run=beaten.id)).ok
    until(lambda: (run := lab.run(beaten.id)) and run.ending and run.ending.kind == "finished", 60)


def test_a_restarted_pilot_has_the_whole_length(lab):
    """In run.json too, from which scripts and other tools read it."""
    search(lab, lr="{ auto = 5, from = 1e-4, to = 1 }", schedule="cosine")
    lab.closed(120)
    pilot = next(run for run in lab.sweep.trained() if run.pilot)
    file = lab.directory / pilot.folder / "run.json"
    assert json.loads(file.read_text())["horizon"] == 3
    assert lab.send(ev.RestartRun(run=pilot.id)).ok
    until(lambda: (run := lab.run(pilot.id)) and run.ending and run.ending.kind == "finished", 60)
    assert json.loads(file.read_text())["horizon"] == 27


def test_the_range_test_alone_answers_with_a_bracket(lab):
    search(lab, lr='"range"')
    closed = lab.closed(60)
    assert closed.code == 0
    assert "a bracket, not a learning rate" in closed.why
    assert lab.sweep.trained() == []


def test_a_study_trains_the_level_that_it_predicts_after_its_own_runs(lab):
    """The script does not mind the width, so LR* is 1e-2 at every level, and the prior alone moves the prediction."""
    study = (
        "[values]\nwidth = 32\n[study]\nwidth = [16, 64]\npredict = { width = 128 }\ncheck = true"
    )
    words = "--until={until} --steps={horizon} --checkpoint={checkpoint}"
    search(lab, words=words, lr="{ grid = 9, from = 1e-4, to = 1 }", extra=study)
    assert lab.closed(180).code == 0
    runs = lab.sweep.trained()
    checking = [run for run in runs if run.setting.values["width"] == 128]
    assert runs[-5:] == checking, "they are the last"
    assert all(run.ending.kind == "finished" for run in checking)
    (predicted,) = (why for why in lab.sweep.verdict.why if "predicted at width 128: LR* " in why)
    (checked,) = (why for why in lab.sweep.verdict.why if "checked at width 128: " in why)
    lr = f"{checking[0].setting.lr:.1e}"
    assert lr in predicted
    assert f"with the predicted lr {lr}" in checked
