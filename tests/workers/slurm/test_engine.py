"""The launcher before a Slurm that is a function: submissions, conditions, orders. A cluster is not needed."""

import dataclasses
import itertools
import json
import signal
import threading

import pytest

from lrtui.sweep.layout import AttemptLayout
from lrtui.workers.launcher import Alive, Exited, Job, Unclaimed, Vanished
from lrtui.workers.slurm import engine as module
from lrtui.workers.slurm import queue, waves
from lrtui.workers.slurm.engine import Slurm
from lrtui.workers.slurm.job_options import Options, rewritten
from lrtui.workers.slurm.queue import Done, Given, Task, call, parsed
from tests.until import until
from tests.workers.slurm.fake import AWAY, FakeSlurm, begin, end


class Far:
    """One experiment directory, its launcher, and its Slurm."""

    def __init__(self, root, **settings) -> None:
        self.root = root
        self.settings = settings
        self.slurm = FakeSlurm()
        self.most = 100
        self.said = []
        """What the user was told."""
        self.open()

    def open(self) -> None:
        self.launcher = Slurm(self.root, self.settings, self.slurm)

    def launch(self, *names):
        for name in names:
            root = self.root / name
            root.mkdir(parents=True, exist_ok=True)
            self.launcher.launch(Job(root, "t", {"A": "1"}))
        self.tick()
        self.tick()
        return max(waves.known(self.root / "slurm"), key=lambda wave: wave.number)

    def accepted(self, wave) -> None:
        until(lambda: self.tick() or wave.files.job.exists())

    def begun(self, name):
        """Launch an attempt whose worker has begun on a node; return its wave."""
        wave = self.launch(name)
        self.accepted(wave)
        begin(wave, 0, self.root / name)
        return wave

    def tick(self) -> None:
        self.said += self.launcher.tick(self.most)

    def condition(self, name):
        self.tick()
        return self.launcher.condition(self.root / name, "t")

    def until(self, name, kind):
        """Wait until an attempt stands so; return how it does."""
        return until(lambda: isinstance(found := self.condition(name), kind) and found)

    def looked(self, times=1) -> None:
        """Wait for further looks at the queue; meanwhile ask how each attempt stands, as a supervisor does."""
        seen = self.launcher._queue.look.number

        def seen_again():
            self.tick()
            for folder in self.launcher._members:
                self.launcher.condition(self.root / folder, "t")
            return self.launcher._queue.look.number >= seen + times

        until(seen_again)


@pytest.fixture
def far(tmp_path, monkeypatch):
    quick = dataclasses.replace(queue.TIMING, queue=0.01, late=0.05, far_look=0.001, grace=0.05)
    for each in (queue, module):
        monkeypatch.setattr(each, "TIMING", quick)
    return lambda **settings: Far(tmp_path, **settings)


def test_a_wave_is_one_array_in_an_intent(far):
    one = far(at_most=3)
    one.most = 3
    wave = one.launch("r01/a1", "r02/a1", "r03/a1", "r04/a1")
    one.accepted(wave)
    (words,) = one.slurm.named("sbatch")
    assert "--array=0-3%3" in words
    assert wave.tasks == (("r01/a1",), ("r02/a1",), ("r03/a1",), ("r04/a1",))
    assert one.condition("r01/a1") == Alive(None, kept=True) or one.condition("r01/a1").waits


def test_packed_runs_share_a_task(far):
    wave = far(pack=2).launch("r01/a1", "r02/a1", "r03/a1")
    assert wave.tasks == (("r01/a1", "r02/a1"), ("r03/a1",))


def test_a_run_waits_begins_and_ends(far):
    one = far()
    wave = one.launch("r01/a1")
    until(lambda: one.condition("r01/a1") == Alive(None, kept=True, waits="Priority"))
    begin(wave, 0, one.root / "r01/a1")
    until(lambda: one.condition("r01/a1") == Alive(7, kept=True))
    end(wave, 0, one.root / "r01/a1", code=3)
    assert one.until("r01/a1", Exited) == Exited(3, None)


def test_a_waiting_run_is_quiet_until_something_is_new(far):
    """What would be said of it again is not asked again."""
    one = far()
    wave = one.launch("r01/a1", "r02/a1")
    one.accepted(wave)
    until(lambda: one.condition("r02/a1") == Alive(None, kept=True, waits="Priority"))
    asks, answers = threading.Event(), threading.Event()

    def late(words, seconds):
        if words[0] == "squeue":
            asks.set()
            answers.wait(240)
        return one.slurm(words, seconds)

    one.launcher._queue._run = late
    assert asks.wait(240)
    one.tick()
    one.condition("r02/a1")
    for _ in range(5):
        one.tick()
    assert "t" in one.launcher.quiet
    begin(wave, 1, one.root / "r02/a1")
    until(lambda: one.tick() or "t" not in one.launcher.quiet)
    one.condition("r01/a1")
    assert "t" in one.launcher.quiet
    answers.set()
    until(lambda: one.tick() or not one.launcher.quiet)


def test_a_run_that_was_never_submitted_is_unclaimed(far):
    one = far()
    (one.root / "r01/a1").mkdir(parents=True)
    assert one.condition("r01/a1") == Unclaimed()


def test_a_submission_that_failed_after_it_was_accepted_is_found(far):
    one = far()
    one.slurm.answers["sbatch!"] = [Done(1, "", "sbatch: error: Socket timed out\n")]
    wave = one.launch("r01/a1")
    one.accepted(wave)
    assert len(one.slurm.named("sbatch")) == 1


def test_a_submission_that_hung_is_repeated_only_if_unknown(far):
    one = far()
    one.slurm.answers["sbatch"] = [Done(None, "", "sbatch did not answer")]
    one.slurm.answers["squeue"] = [AWAY, AWAY]
    wave = one.launch("r01/a1")
    one.accepted(wave)
    assert len(one.slurm.named("sbatch")) == 2
    assert not any("-j" in words for words in one.slurm.named("squeue")[:3])


def test_a_killed_supervisor_looks_up_what_it_submitted(far):
    one = far()
    wave = one.launch("r01/a1")
    one.accepted(wave)
    wave.files.job.unlink()  # it was killed between sbatch and this
    one.open()
    one.accepted(wave)
    assert len(one.slurm.named("sbatch")) == 1


def test_a_killed_supervisor_submits_what_it_had_meant_to(far):
    one = far()
    one.slurm.answers["sbatch"] = [AWAY] * 1000
    wave = one.launch("r01/a1")
    until(lambda: one.slurm.named("sbatch"))
    one.slurm.recover()
    one.open()
    one.accepted(wave)


def test_a_refusal_is_final_and_says_why(far):
    one = far(partition="nope")
    said = "sbatch: error: Batch job submission failed: Invalid partition name specified\n"
    one.slurm.answers["sbatch"] = [Done(1, "", said)]
    one.launch("r01/a1")
    over = one.until("r01/a1", Vanished)
    assert over.cause == "refused"
    assert over.why.startswith('Slurm refuses partition = "nope"')


def test_what_a_refusal_leaves_in_the_queue_is_no_job(far):
    """Recorded: sbatch fails for want of such a node, and squeue shows the array as FAILED (BadConstraints)."""
    one = far(gres="gpu:9")
    said = "sbatch: error: Batch job submission failed: Requested node configuration is not available\n"
    one.slurm.answers["sbatch!"] = [Done(1, "", said)]
    one.slurm.first = "FAILED", "BadConstraints"
    one.launch("r01/a1")
    over = one.until("r01/a1", Vanished)
    assert over.cause == "refused"
    assert 'asks for (gres = "gpu:9", cpus = 1)' in over.why


def test_nothing_is_lost_while_slurm_is_away(far):
    one = far()
    one.begun("r01/a1")
    one.slurm.answers["squeue"] = [AWAY] * 5
    until(lambda: one.condition("r01/a1") and not one.slurm.answers["squeue"])
    assert isinstance(one.condition("r01/a1"), Alive)


def test_a_job_is_lost_only_if_file_and_queue_agree(far):
    one = far()
    wave = one.begun("r01/a1")
    root = one.root / "r01/a1"
    one.slurm.set(wave, 0, "NODE_FAIL")
    beats = itertools.count()

    def looked_while_it_beats():
        """Its node lives, whatever Slurm thinks."""
        wave.files.beat(0).write_text(f'{{"count": {next(beats)}}}')
        assert isinstance(one.condition("r01/a1"), Alive)
        return one.launcher._queue.look.number >= 20

    until(looked_while_it_beats)
    assert one.until("r01/a1", Vanished) == Vanished("evicted", "node n0 failed")
    assert AttemptLayout(root).orders.read_text() == "KILL\n"  # whatever lives on there


def test_a_job_that_slurm_killed_and_started_again_is_no_loss(far):
    """Recorded: a controller that is killed before it has saved that a job runs kills it, starts it again, and shows it as COMPLETED."""
    one = far()
    wave = one.begun("r01/a1")
    one.slurm.set(wave, 0, "COMPLETED")
    over = one.until("r01/a1", Vanished)
    assert over == Vanished("evicted", "Slurm killed its job and started it again")


def test_an_ending_counts_though_the_agent_did_not_say_so(far):
    one = far()
    wave = one.begun("r01/a1")
    root = one.root / "r01/a1"
    end(wave, 0, root)
    wave.files.ended(0, 0).unlink()
    one.slurm.forget(wave, 0)
    assert one.until("r01/a1", Exited) == Exited(0, None)


@pytest.mark.parametrize(
    ("state", "cause"),
    [("CANCELLED", "cancelled"), ("PREEMPTED", "evicted"), ("TIMEOUT", "limit")],
)
def test_slurm_says_why_a_job_was_told_to_stop(far, state, cause):
    one = far(time="1h")
    wave = one.begun("r01/a1")
    root = one.root / "r01/a1"
    one.slurm.set(wave, 0, "RUNNING")
    end(wave, 0, root, signal=signal.SIGTERM, cause="term")
    assert isinstance(one.condition("r01/a1"), Alive)
    one.looked(2)
    assert isinstance(one.condition("r01/a1"), Alive)
    one.slurm.set(wave, 0, state)
    assert one.until("r01/a1", Vanished).cause == cause


def test_a_requeued_job_goes_on_elsewhere(far):
    """Recorded: its worker is signalled before the agent, then the task is PENDING again (BeginTime)."""
    one = far()
    wave = one.begun("r01/a1")
    end(wave, 0, one.root / "r01/a1", signal=signal.SIGTERM)
    one.slurm.set(wave, 0, "PENDING", "BeginTime")
    assert one.until("r01/a1", Vanished) == Vanished("evicted", "requeued in Slurm")
    until(lambda: one.tick() or one.slurm.named("scancel") == [["scancel", "100_0"]])


def test_an_intent_leads_nowhere_else(far):
    one = far()
    wave = one.launch("r01/a1")
    one.accepted(wave)
    for folder in ("../x", "/x", "r01/../../x", "r01", ""):
        wave.files.intent.write_text(json.dumps({"name": "n", "tasks": [[folder]]}))
        assert not waves.known(one.root / "slurm")


def test_the_warning_of_the_time_limit_needs_no_queue(far):
    one = far(time="1h")
    wave = one.begun("r01/a1")
    end(wave, 0, one.root / "r01/a1", code=75, cause="limit")
    assert one.until("r01/a1", Vanished) == Vanished("limit", "time limit of 1h")


def test_a_pending_job_that_left_the_queue_never_begins(far):
    one = far()
    wave = one.launch("r01/a1")
    one.accepted(wave)
    one.slurm.forget(wave, 0)  # as scancel makes it
    assert one.until("r01/a1", Vanished).cause == "cancelled"
    assert AttemptLayout(one.root / "r01/a1").claim.exists()


def test_a_job_that_could_not_begin_says_what_it_printed(far):
    one = far()
    wave = one.launch("r01/a1")
    one.accepted(wave)
    wave.files.log(0).write_text("module: command not found\n")
    one.slurm.set(wave, 0, "FAILED")
    over = one.until("r01/a1", Vanished)
    assert over.cause == "refused"
    assert "on n0 before lrtui's keeper began; it printed: module: command not found" in over.why


@pytest.mark.parametrize("killed", [False, True])
def test_runs_that_wait_follow_an_edited_launcher(far, killed):
    """Also where the supervisor is killed before it has journalled that."""
    one = far(time="4h")
    wave = one.launch("r01/a1", "r02/a1")
    one.accepted(wave)
    begin(wave, 0, one.root / "r01/a1")
    until(lambda: one.condition("r01/a1") == Alive(7, kept=True))
    (said,) = one.launcher.change({"time": "1h"})
    assert said == "further jobs follow the edited [launcher]; 1 waiting run submitted again"
    if killed:
        one.settings = {"time": "1h"}
        one.open()
        one.slurm.forget(wave, 1)
    else:
        until(lambda: one.tick() or (wave.name, 1) not in one.slurm.states)
    assert one.until("r02/a1", Vanished) == Vanished("evicted", "[launcher] was edited")
    assert isinstance(one.condition("r01/a1"), Alive)
    one.accepted(one.launch("r02/a2"))
    assert "--time=0-01:00:00" in one.slurm.named("sbatch")[-1]
    assert one.launcher.change({"time": "60m"}) == []


def test_a_run_that_waits_is_killed_at_once_and_cancelled(far):
    one = far()
    wave = one.launch("r01/a1", "r02/a1")
    one.accepted(wave)
    one.launcher.send(one.root / "r01/a1", "t", signal.SIGTERM)
    assert one.until("r01/a1", Vanished).cause == "cancelled"
    until(lambda: one.tick() or (wave.name, 0) not in one.slurm.states)
    assert one.until("r01/a1", Vanished).cause == "cancelled"
    assert isinstance(one.condition("r02/a1"), Alive)
    assert one.slurm.named("scancel") == [["scancel", "100_0"]]


def test_the_last_run_that_waits_is_killed_too(far):
    """Nothing of its wave is left to ask Slurm about."""
    one = far()
    one.accepted(one.launch("r01/a1"))
    one.launcher.send(one.root / "r01/a1", "t", signal.SIGKILL)
    assert one.until("r01/a1", Vanished).cause == "cancelled"
    until(lambda: one.tick() or one.slurm.named("scancel"))


def test_a_signal_is_an_order_in_a_file(far):
    one = far()
    wave = one.launch("r01/a1")
    root = one.root / "r01/a1"
    begin(wave, 0, root)
    one.until("r01/a1", Alive)
    until(lambda: one.condition("r01/a1") == Alive(7, kept=True))
    for number in (signal.SIGCONT, signal.SIGSTOP, signal.SIGCONT, signal.SIGTERM, signal.SIGTERM):
        one.launcher.send(root, "t", number)
    assert AttemptLayout(root).orders.read_text().split() == ["STOP", "CONT", "TERM"]


def test_a_job_that_does_not_hear_is_cancelled(far):
    one = far()
    wave = one.begun("r01/a1")
    until(lambda: one.condition("r01/a1") == Alive(7, kept=True))

    def killed():
        one.launcher.send(one.root / "r01/a1", "t", signal.SIGKILL)
        one.tick()
        return one.slurm.named("scancel")

    until(killed)
    one.slurm.set(wave, 0, "CANCELLED")
    assert one.until("r01/a1", Vanished).cause == "cancelled"


def test_parallelism_reaches_the_array(far):
    one = far()
    one.most = 2
    one.accepted(one.launch("r01/a1", "r02/a1", "r03/a1"))
    one.tick()
    one.most = 3
    until(lambda: one.tick() or one.slurm.named("scontrol"))
    assert one.slurm.named("scontrol") == [
        ["scontrol", "update", "jobid=100", "ArrayTaskThrottle=3"]
    ]


def test_a_further_wave_waits_for_room(far):
    one = far()
    one.launch("r01/a1", "r02/a1", "r03/a1")
    assert not one.launcher.room(3)
    assert one.launcher.room(4)


def test_what_is_over_takes_no_room_after_a_restart(far):
    """An agent that died with its node says of no attempt that it ended."""
    one = far()
    wave = one.launch("r01/a1", "r02/a1")
    one.accepted(wave)
    for task, name in enumerate(("r01/a1", "r02/a1")):
        begin(wave, task, one.root / name)
        one.slurm.set(wave, task, "NODE_FAIL")
        one.until(name, Vanished)
    assert one.launcher.room(1)
    one.open()
    assert not one.launcher.room(2)
    one.launcher.adopt({one.root / "r01/a1"})
    assert one.launcher.room(2)


def test_what_squeue_says_is_read():
    """Recorded: an array of four with `%2`, then a job of another kind, and lines that are none."""
    text = (
        "13|2|PENDING||main|4:00:00|JobArrayTaskLimit|lrtui-x-w1-00ff00ff /a|b/lrtui-y-w1-00ff00ff\n"
        "13|0|RUNNING|n0|main|4:00:00|None|\n"
        "2|N/A|CANCELLED||main|1:00|JobHeldUser|my own\n"
        "slurm_load_jobs error|\n\x1b[31m|1|X|n|r|s|\n13|1|PENDING||main|4:00:00|\x1b[31m(a)|\n"
        "13|3|PENDING||main|4:00:00|JobArrayTaskLimit|\n"
    )
    found = parsed(text)
    assert set(found) == {13, 2}
    assert found[13].given == Given("main", 14400)
    assert found[13].marks == {"lrtui-x-w1-00ff00ff"}
    assert found[13].tasks == {
        0: Task("RUNNING", "None", "n0"),
        1: Task("PENDING", "(a"),
        2: Task("PENDING", "JobArrayTaskLimit"),
        3: Task("PENDING", "JobArrayTaskLimit"),
    }
    assert found[13].tasks[2] is found[13].tasks[3]  # a thousand that wait take no more memory
    assert found[2].given == Given("main", 60)
    assert not found[2].tasks
    assert not found[2].marks


def test_what_a_site_rewrites_is_reported_once(far):
    """Recorded: a job_submit plugin that sets a limit of one minute and another partition."""
    one = far(time="2h", partition="main")
    one.slurm.gives = "high", "1:00"
    wave = one.launch("r01/a1")
    one.accepted(wave)
    until(lambda: one.tick() or one.said)
    assert one.said[0].startswith(
        'the site rewrites the jobs: a time limit of 1m instead of time = "2h" and partition high instead of partition = "main"; '
    )
    begin(wave, 0, one.root / "r01/a1")
    end(wave, 0, one.root / "r01/a1", code=75, cause="limit")
    assert one.until("r01/a1", Vanished).why == "time limit of 1m"
    one.accepted(one.launch("r02/a1"))
    one.looked(2)
    assert len(one.said) == 1


@pytest.mark.parametrize(
    ("partition", "seconds"), [("main", 7200), ("high", 7200), ("main,high", 7200)]
)
def test_what_was_asked_for_is_not_rewritten(partition, seconds):
    options = Options(time="119m50s", partition="main,high")
    assert not rewritten(options, partition, seconds)


def test_a_job_that_the_site_renames_is_found(far):
    """By its id; and by its comment, where sbatch did not say the id."""
    one = far()
    one.slurm.renamed = "site-job"
    one.slurm.answers["sbatch!"] = [Done(1, "", "sbatch: error: Socket timed out\n")]
    wave = one.launch("r01/a1")
    one.accepted(wave)
    assert len(one.slurm.named("sbatch")) == 1
    until(lambda: one.condition("r01/a1") == Alive(None, kept=True, waits="Priority"))


def test_slurm_may_forget_the_only_job(far):
    """Recorded: squeue fails if the one job it is asked about is unknown, and does not if one of two is."""
    one = far()
    gone = Done(1, "", "slurm_load_jobs error: Invalid job id specified\n")
    one.slurm.answers["squeue"] = [gone] * 1000
    wave = one.launch("r01/a1")
    one.accepted(wave)
    wave.files.job.write_text('{"id": 100, "at": 1.0}')  # long ago
    one.open()
    assert one.until("r01/a1", Vanished).cause == "cancelled"


@pytest.mark.parametrize("looked", [0, 1])
@pytest.mark.parametrize("began", [False, True])
def test_a_job_that_the_controller_forgot_is_not_cancelled(far, began, looked):
    """Recorded: one that is killed within seconds of a submission does not know it when it is back; of cancelled tasks a line is left."""
    one = far()
    wave = one.launch("r01/a1")
    one.accepted(wave)
    if began:
        begin(wave, 0, one.root / "r01/a1")
    one.looked(looked)
    one.slurm.lose(wave)
    if not looked:
        one.open()
    over = one.until("r01/a1", Vanished)
    assert over == Vanished("evicted", "Slurm's controller has forgotten its job")


def test_a_job_that_the_controller_forgot_is_ended_as_an_orphan(far):
    """By Slurm, which kills on a node what it does not know: its worker did not fail."""
    one = far()
    wave = one.begun("r01/a1")
    root = one.root / "r01/a1"
    one.looked()
    one.slurm.lose(wave)
    end(wave, 0, root, signal=signal.SIGKILL)
    over = one.until("r01/a1", Vanished)
    assert over == Vanished("evicted", "Slurm's controller has forgotten its job")


@pytest.mark.parametrize("began", [False, True])
def test_a_job_id_that_is_given_twice_is_the_later_ones(far, began):
    """Recorded after such a kill: what became of the second job was taken for the first one's too, and Slurm cancels one for the other."""
    one = far()
    first = one.launch("r01/a1")
    one.accepted(first)
    begin(first, 0, one.root / "r01/a1")
    one.looked()
    one.slurm.lose(first)
    second = one.launch("r02/a1")
    one.accepted(second)
    assert len({json.loads(each.files.job.read_text())["id"] for each in (first, second)}) == 1
    if began:
        begin(second, 0, one.root / "r02/a1")
    one.slurm.set(second, 0, "CANCELLED")
    over = one.until("r01/a1", Vanished)
    assert over == Vanished("evicted", "Slurm's controller has forgotten its job")
    over = one.until("r02/a1", Vanished)
    assert over.cause == "evicted"
    assert over.why.endswith("had given its job id twice")


@pytest.mark.parametrize("owner", ["another sweep", "somebody else"])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_job_id_given_again_to_others_is_theirs(far, owner, restarted):
    """What becomes of their job says nothing of ours. A supervisor that has not seen ours cannot tell that a job without a comment is none."""
    one = far()
    wave = one.launch("r01/a1")
    one.accepted(wave)
    one.looked()
    number = one.slurm.ids[wave.name]
    one.slurm.lose(wave)
    other = "lrtui-other-w7-0123abcd" if owner == "another sweep" else "bash"
    one.slurm.ids[other] = number
    one.slurm.states[other, 0] = "CANCELLED", "None"
    one.slurm.unmarked |= {"bash"}
    if restarted:
        wave.files.job.write_text(f'{{"id": {number}, "at": 1.0}}')  # long ago
        one.open()
    over = one.until("r01/a1", Vanished)
    ours = restarted and owner == "somebody else"
    assert over.why == (
        "cancelled in Slurm" if ours else "Slurm's controller has forgotten its job"
    )
    assert one.launcher._waves[wave.number].job == (number if ours else -1)


CLOSED = "sbatch: error: Batch job submission failed: Required partition not available (inactive or drain)\n"
"""Recorded: of a partition whose state is DRAIN or INACTIVE."""


def test_runs_wait_until_their_partition_opens(far):
    """Nothing is refused, Slurm is asked ever less often, and the user is told once."""
    one = far(partition="main")
    one.slurm.answers["sbatch"] = [Done(1, "", CLOSED)] * 3
    wave = one.launch("r01/a1")
    said = until(lambda: isinstance(now := one.condition("r01/a1"), Alive) and now.waits)
    assert said.startswith('Slurm refuses partition = "main" of [launcher]: Required partition not')
    assert "another partition in [launcher]" in said
    one.accepted(wave)
    until(lambda: one.condition("r01/a1") == Alive(None, kept=True, waits="Priority"))
    assert one.said == [said]
    assert len(one.slurm.named("sbatch")) == 4
    assert one.launcher._queue._tries[wave.name] == 3


@pytest.mark.parametrize("restarted", [False, True])
def test_runs_leave_a_partition_that_is_closed(far, restarted):
    """What waits for it is not submitted any more."""
    one = far(partition="gpu")
    one.slurm.answers["sbatch"] = [Done(1, "", CLOSED)] * 1000
    wave = one.launch("r01/a1")
    until(lambda: one.tick() or one.said)
    one.launcher.change({"partition": "cpu"})
    assert one.until("r01/a1", Vanished) == Vanished("evicted", "[launcher] was edited")
    if restarted:
        one.launcher._waves[wave.number].unwanted = True  # its supervisor is dead
        one.settings = {"partition": "cpu"}
        one.open()
    until(lambda: one.tick() or one.launcher._waves[wave.number].unwanted)
    one.slurm.answers.clear()
    one.accepted(one.launch("r01/a2"))
    one.looked(20)
    assert not wave.files.job.exists()


@pytest.mark.parametrize("restarted", [False, True])
def test_a_job_that_slurm_took_unheard_is_cancelled(far, restarted):
    """Its run is killed while sbatch has hung and squeue does not answer."""
    one = far()
    one.slurm.answers["sbatch!"] = [Done(None, "", "sbatch did not answer")]
    one.slurm.answers["squeue"] = [AWAY] * 100_000
    wave = one.launch("r01/a1")
    until(lambda: one.tick() or one.said)
    assert one.launcher.send(one.root / "r01/a1", "t", signal.SIGTERM) == 0
    until(lambda: one.tick() or one.launcher._waves[wave.number].unwanted)
    if restarted:
        one.open()
    assert (wave.name, 0) in one.slurm.states
    one.slurm.recover()
    until(lambda: one.tick() or not one.slurm.states)
    assert one.until("r01/a1", Vanished) == Vanished("cancelled", "taken out of Slurm's queue")
    assert len(one.slurm.named("sbatch")) == 1


def test_a_killed_run_is_not_said_to_wait_for_a_partition(far):
    one = far(partition="gpu")
    one.slurm.answers["sbatch"] = [Done(1, "", CLOSED)] * 1000
    one.launch("r01/a1")
    until(lambda: one.tick() or one.said)
    one.launcher.send(one.root / "r01/a1", "t", signal.SIGKILL)
    until(lambda: one.tick() or not one.launcher._queue.troubles())


def test_a_job_that_nobody_lets_start_is_reported_once(far):
    one = far(time="4h")
    one.slurm.gives = "main", "4:00:00"
    wave = one.launch("r01/a1", "r02/a1")
    one.accepted(wave)
    for task in (0, 1):
        one.slurm.set(wave, task, "PENDING", "PartitionTimeLimit")
    advice = 'the time limit is above what the site allows: lower time = "4h" in [launcher], and run lrtui FILE again'
    said = until(lambda: one.launcher.tick(one.most))
    assert said == [f"Slurm holds 2 jobs: PartitionTimeLimit: {advice}"]
    assert one.condition("r01/a1").waits == f"PartitionTimeLimit: {advice}"
    one.looked(2)
    assert one.launcher.tick(one.most) == []


def test_a_users_own_filters_do_not_hide_jobs(monkeypatch):
    monkeypatch.setenv("SQUEUE_PARTITION", "other")
    monkeypatch.setenv("SLURM_CONF", "/etc/x")
    shown = call(["env"], 60.0).out
    assert "SQUEUE_PARTITION" not in shown
    assert "SLURM_CONF=/etc/x" in shown


def test_a_command_that_hangs_is_ended_with_its_children(tmp_path):
    wrapper = tmp_path / "squeue"
    wrapper.write_text("#!/bin/sh\necho asked\nsleep 600\n")
    wrapper.chmod(0o755)
    done = call([str(wrapper)], 0.2)
    assert done.code is None
    assert "did not answer" in done.err
    assert call([str(tmp_path / "none")], 1.0).code == 127
