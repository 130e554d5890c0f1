"""On an NVIDIA GPU: CUDA graphs learn what single kernels learn, runs resume and move, a sweep shares one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from lrtui.train.cuda import overlapped_backward
from lrtui.train.loop import settle, side_stream
from lrtui.train.optimizers import OPTIMIZERS
from lrtui.train.options import parse
from lrtui.train.run_state import set_up
from lrtui.train.step import EAGER_STEPS, Stepper
from tests.train.running import ROOT, Trainer, timeless
from tests.until import PATIENCE_SECONDS, until

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]
GRAPHS = (
    "adam",
    "adamw",
    "sgd",
    "rmsprop",
    "adadelta",
    "adamax",
    "nadam",
    "radam",
    "asgd",
    "rprop",
)
STEPS = EAGER_STEPS + 5


@pytest.fixture(autouse=True)
def _given(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")


def training_of(prepared, *more):
    words = [f"--prepared={prepared}", "--model=mlp", "--batch-size=32", "--epochs=3", "--lr=1e-3"]
    options = parse([*words, "--threads=1", *more])
    settle(options)
    return set_up(options)


def learned(training, *, graph, steps=STEPS):
    """Take steps; return the stepper and the weights as one vector, float64 on the CPU."""
    stepper, captures = Stepper(training), []
    with side_stream(training.device):
        capture = stepper._capture if graph else lambda *_: None
        stepper._capture = lambda *batch: captures.append(capture(*batch))
        for _ in range(steps):
            stepper.step()
        torch.cuda.synchronize()
    assert not graph or len(captures) <= 1
    weights = [weight.detach().double().cpu().flatten() for weight in training.model.parameters()]
    return stepper, torch.cat(weights)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_graph_learns_what_single_kernels_learn(prepared, name, capfd):
    if missing := OPTIMIZERS[name].missing():
        pytest.skip(missing.how)
    stepper, graph = learned(training_of(prepared, f"--optimizer={name}"), graph=True)
    _, eager = learned(training_of(prepared, f"--optimizer={name}"), graph=False)
    assert torch.isfinite(graph).all()
    assert torch.equal(graph, eager)
    said = capfd.readouterr().err
    print(name, "graph" if stepper._captured else "kernels", said)
    assert "Warning" not in said
    if name in GRAPHS:
        assert stepper._captured, said


@pytest.mark.parametrize("model", ["linear", "cnn3", '{"cnn7":{"width":8}}', "resnet", "vit"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_model_is_captured(prepared, model, precision, capfd):
    more = (f"--model={model}", f"--precision={precision}", "--augment")
    stepper, graph = learned(training_of(prepared, *more), graph=True)
    _, eager = learned(training_of(prepared, *more), graph=False)
    assert stepper._captured, capfd.readouterr().err
    # cuDNN may choose another algorithm from run to run
    assert (graph - eager).norm() <= 1e-2 * eager.norm()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_gradients_beside_each_other_are_those_of_torch(dtype):
    torch.manual_seed(0)
    images = torch.randn(64, 3, 16, 16, device="cuda", requires_grad=True)

    def gradients(*, beside):
        torch.manual_seed(1)
        layers = nn.Conv2d(3, 32, 3, stride=2), nn.ReLU(), nn.Conv2d(32, 48, 3, bias=False)
        model = nn.Sequential(*layers).cuda().to(memory_format=torch.channels_last)
        if beside:
            overlapped_backward.branch(model)
        images.grad = None
        with torch.autocast("cuda", dtype, enabled=dtype != torch.float32):
            outputs = model(images)
        outputs.float().square().sum().backward()
        overlapped_backward.join(images.device)
        return [images.grad, *(weight.grad for weight in model.parameters())]

    for ours, theirs in zip(gradients(beside=True), gradients(beside=False), strict=True):
        assert (ours.dtype, ours.stride()) == (theirs.dtype, theirs.stride())
        assert (ours - theirs).norm() <= (1e-5 if dtype == torch.float32 else 1e-2) * theirs.norm()


@pytest.mark.parametrize("graph", [True, False])
def test_nothing_races(prepared, graph):
    more = ("--model=resnet", "--precision=bf16", "--augment")
    first, *others = (
        learned(training_of(prepared, *more), graph=graph, steps=60) for _ in range(4)
    )
    assert all(torch.equal(first[1], other[1]) for other in others)


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "adafactor", "adamw_schedulefree"])
@pytest.mark.parametrize("way", [("0", ""), ("", "0")], ids=["to the CPU", "to the GPU"])
def test_a_checkpoint_moves_between_devices(prepared, tmp_path, optimizer, way):
    if optimizer not in OPTIMIZERS or OPTIMIZERS[optimizer].missing():
        pytest.skip(f"no {optimizer} here")
    first, second = way
    done = Trainer(prepared, tmp_path, first).run(optimizer=optimizer, until=1)
    assert done.returncode == 0, done.stderr
    done = Trainer(prepared, tmp_path, second).run("more.jsonl", optimizer=optimizer)
    assert done.returncode == 0, done.stderr
    assert "resumed at step 15" in done.stdout
    assert "Warning" not in done.stderr


def test_a_run_that_was_stopped_goes_on_to_the_same_lines(prepared, tmp_path):
    (tmp_path / "whole").mkdir()
    whole, parts = Trainer(prepared, tmp_path / "whole", "0"), Trainer(prepared, tmp_path, "0")
    assert whole.run().returncode == 0
    for end in (1, 2, None):
        done = parts.run(until=end)
        assert done.returncode == 0, done.stderr
    assert timeless(parts.lines()) == timeless(whole.lines())


SWEEP = """
dataset = "digits"
model = "mlp"
epochs = 4
batch_size = 32
lr = [1e-1, 1e-2, 1e-3, 1e-4]
isolation = "{isolation}"
parallel = 4
"""
LARGE = """
dataset = "digits"
model = {{ mlp = {{ width = 4096, depth = 3 }} }}
steps = 3000
batch_size = 32
lr = [1e-2, 1e-3, 3e-4, 1e-4]
isolation = "{isolation}"
parallel = 4
devices = [0]
"""
"""On the GPU although it is in use. Each run takes 0.55 GB at least: weights of 34 million numbers, as many gradients, twice as many of Adam's."""
LONG = """
dataset = "digits"
model = "mlp"
steps = 10_000_000
batch_size = 32
lr = [1e-1, 1e-2, 1e-3, 1e-4]
isolation = "process"
"""
PROGRAM = [sys.executable, "-m", "lrtui"]


def settings(folder, text):
    """Write the experiment file; return what a process needs that runs it there."""
    folder.mkdir()
    (folder / "x.toml").write_text(text)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {"cwd": folder, "env": os.environ | {"PYTHONPATH": path}, "text": True}


def run(folder, text):
    """Run the sweep to its end; return its events."""
    words = [*PROGRAM, "x.toml", "--headless", "--dir", "out"]
    done = subprocess.run(
        words, **settings(folder, text), capture_output=True, check=False, timeout=PATIENCE_SECONDS
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    return events(folder)


def events(folder):
    lines = (folder / "out" / "journal.jsonl").read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def sweep(folder, isolation):
    """Run it to its end; return each run's log and lines."""
    run(folder, SWEEP.format(isolation=isolation))
    return [
        (
            (root / "output.log").read_text(),
            timeless(map(json.loads, (root / "metrics.jsonl").read_text().splitlines())),
        )
        for root in sorted((folder / "out").glob("r0*/a1"))
    ]


def test_a_sweep_trains_in_one_process_what_it_trains_in_several(tmp_path):
    together, apart = sweep(tmp_path / "a", "auto"), sweep(tmp_path / "p", "process")
    assert len(together) == 4
    assert all("1 GPU" in log for log, _ in together)
    assert sum("trained beside" in log for log, _ in together) == 3
    assert not any("trained beside" in log for log, _ in apart)
    assert [lines for _, lines in together] == [lines for _, lines in apart]


@pytest.fixture
def little_memory():
    """Leave 2 GiB of the GPU to others."""
    free, _ = torch.cuda.mem_get_info()
    taken = torch.empty(free - (2 << 30), dtype=torch.uint8, device="cuda")
    yield
    del taken
    torch.cuda.empty_cache()


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("isolation", ["shared", "process"])
def test_runs_that_do_not_fit_together_train_with_fewer_at_once(tmp_path, isolation):
    told = run(tmp_path / "sweep", LARGE.format(isolation=isolation))
    of = {name: [each for each in told if each["event"] == name] for name in NAMES}
    for each in told:
        if each["event"] in NAMES:
            print(each)
    assert of["RunLost"]
    assert all(lost["why"].startswith("out of memory beside") for lost in of["RunLost"])
    assert of["ParallelSet"]
    assert of["ParallelSet"][0]["parallel"] < 4
    assert [ended["kind"] for ended in of["RunEnded"]] == ["finished"] * 4


NAMES = ("RunLost", "ParallelSet", "RunEnded")


def test_it_is_measured_how_many_runs_a_gpu_carries(tmp_path):
    folder = tmp_path / "sweep"
    given = settings(folder, LONG)
    words = [*PROGRAM, "x.toml", "--headless", "--dir", "out"]
    with subprocess.Popen(words, **given) as headless:
        try:
            until(lambda: len(parallels(folder)) >= 2, 120)
        finally:
            subprocess.run([*PROGRAM, "stop", "out"], **given, check=True, timeout=PATIENCE_SECONDS)
            headless.wait(PATIENCE_SECONDS)
    first, second = parallels(folder)[:2]
    print(first, second)
    assert (first["parallel"], first["why"]) == (2, "there is room for one more on each GPU")
    assert second["why"].startswith("2 at once train ")


def parallels(folder):
    if not (folder / "out" / "journal.jsonl").exists():
        return []
    return [each for each in events(folder) if each["event"] == "ParallelSet"]
