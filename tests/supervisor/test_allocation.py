"""What a machine lends to a sweep. The GPUs are NVML's readings, faked; nothing here touches CUDA."""

import pytest

from lrtui.config import parse
from lrtui.errors import MachineError
from lrtui.hardware.gpu import Gpu
from lrtui.supervisor import allocation, slots
from lrtui.supervisor.planning import resolve
from lrtui.supervisor.startup import device_environment
from lrtui.sweep import events as ev
from lrtui.sweep.state import fold
from tests.sweep.test_state import PLAN, launched, numbered, queued

FILE = 'dataset = "digits"\nmodel = "mlp"\nmetric = "max val_acc"\nepochs = 1\nlr = [1e-3]\n'


def gpu(index: int, used: int = 0) -> Gpu:
    return Gpu(
        index=index,
        name="H100",
        memory_used_mib=used,
        memory_total_mib=80_000,
        utilisation=0,
        uuid=f"GPU-{index}abc",
        processes=(),
    )


@pytest.fixture
def gpus(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(allocation.os, "sched_getaffinity", lambda _: set(range(16)))
    return lambda *found: monkeypatch.setattr(allocation.gpu, "read", lambda: found)


def lent(more: str = "", *, text: str = ""):
    return allocation.allocate(parse((text or FILE) + more, "x.toml"))


MANY = FILE.replace("[1e-3]", "{ grid = 20, from = 1e-5, to = 1e-1 }")
FOUR = FILE.replace("[1e-3]", "[1e-1, 1e-2, 1e-3, 1e-4]")


def test_without_gpus_as_many_runs_as_cores_train_with_one_thread_each(gpus):
    gpus()
    assert lent(text=MANY) == allocation.Allocation(devices=(), gpus=0, parallel=16, threads=1)


def test_fewer_runs_than_cores_share_them(gpus):
    gpus()
    assert lent(text=FOUR) == allocation.Allocation(devices=(), gpus=0, parallel=4, threads=4)
    two = FOUR + 'optimizer = ["adam", "sgd"]\n'
    assert lent(text=two) == allocation.Allocation(devices=(), gpus=0, parallel=8, threads=2)
    assert lent(text=FOUR + "parallel = 2\n") == allocation.Allocation((), 0, parallel=2, threads=8)


def test_with_gpus_one_run_a_gpu(gpus):
    gpus(gpu(0), gpu(1))
    assert lent() == allocation.Allocation(devices=(0, 1), gpus=1, parallel=2, threads=8)


def test_gpus_that_others_keep_busy_are_left_alone(gpus):
    gpus(gpu(0, used=40_000), gpu(1))
    assert lent().devices == (1,)
    assert lent().notes == (
        "GPU 0 is in use by other processes (39.1 of 78.1 GiB); it is not used; devices = [0] in the experiment file shares it",
    )


def test_it_is_said_when_runs_train_on_the_cpu_because_others_use_the_gpus(gpus):
    gpus(gpu(0, used=79_000))
    assert lent().devices == ()
    (note,) = lent().notes
    assert "training on the CPU instead; devices = [0]" in note
    assert resolve(parse(FILE, "x.toml"), "x.toml").notes == (note,)
    assert lent("devices = [0]\n") == allocation.Allocation((0,), 1, parallel=1, threads=16)


def test_an_inherited_cuda_visible_devices_is_respected(gpus, monkeypatch):
    gpus(gpu(0), gpu(1), gpu(2))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-1abc")
    assert lent().devices == (1, 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert lent().devices == ()


def test_runs_of_several_gpus_share_none(gpus):
    gpus(*map(gpu, range(4)))
    assert lent("gpus = 2\n").parallel == 2


@pytest.mark.parametrize("text", ["gpus = 2\n", "devices = [7]\n"])
def test_gpus_that_were_asked_for_and_are_not_there_are_an_error_with_code_5(gpus, text):
    gpus(gpu(0))
    with pytest.raises(MachineError) as caught:
        lent(text)
    assert caught.value.exit_code == 5


def test_each_run_gets_the_least_loaded_gpus():
    plan = replace_plan(devices=(0, 1, 2), gpus=1, parallel=3)
    sweep = fold(numbered([ev.SweepOpened(plan=plan), queued()]))
    assert slots.devices_for(sweep) == (0,)
    begun = ev.RunLaunched(run="r01", attempt=1, token="t", until=3.0, devices=(0,))
    sweep = fold(numbered([ev.SweepOpened(plan=plan), queued(), begun]))
    assert slots.devices_for(sweep) == (1,)
    assert slots.free_slots(sweep) == 2


def test_a_frozen_run_keeps_its_place():
    plan = replace_plan(parallel=1)
    started = ev.RunStarted(run="r01", attempt=1, pid=4)
    story = [
        ev.SweepOpened(plan=plan),
        queued(),
        launched(),
        started,
        ev.RunFrozen(run="r01", attempt=1),
    ]
    assert slots.free_slots(fold(numbered(story))) == 0


def test_a_worker_sees_its_gpus_and_no_others():
    assert device_environment((1, 3), 4)["CUDA_VISIBLE_DEVICES"] == "1,3"
    assert device_environment((), 1)["CUDA_VISIBLE_DEVICES"] == ""
    assert device_environment((), 1)["OMP_NUM_THREADS"] == "1"


def replace_plan(**changes):
    import msgspec

    return msgspec.structs.replace(PLAN, **changes)
