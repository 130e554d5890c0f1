"""The parts of `train.py` that compute: `python -m tests.benchmarks.inside convolutions THREADS | emission PREPARED MODEL`."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable

import torch
from torch import nn

BATCH = 128
LAYERS = (
    (1, 16, 32, 2),
    (16, 64, 16, 1),
    (64, 128, 8, 1),
    (128, 256, 8, 1),
    (256, 512, 4, 1),
    (512, 512, 4, 1),
    (512, 256, 2, 1),
)
"""Of cnn7: channels in, channels out, height and width of the input, stride."""


def best(work: Callable[[], object], repeats: int = 8) -> float:
    """Return the shortest time of some repeats, seconds; the first warms up and does not count."""
    work()
    took = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)


def convolutions(threads: str) -> None:
    """Print how many images per second the convolutions alone would reach, forward and backward, and products of matrices."""
    from lrtui.train.cpu.convolution import quicken

    torch.set_num_threads(int(threads))
    for dtype in (torch.float32, torch.bfloat16):
        square = torch.randn(2048, 2048).to(dtype)
        rate = 2 * 2048**3 / best(lambda square=square: square @ square) / 1e9
        sums = {"torch": 0.0, "lrtui": 0.0}
        for inputs, outputs, size, stride in LAYERS:
            layer = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
            layer = layer.to(dtype).to(memory_format=torch.channels_last)
            images = torch.randn(BATCH, inputs, size, size).to(dtype)
            images = images.contiguous(memory_format=torch.channels_last)
            images.requires_grad_(inputs > 1)
            given = torch.randn_like(layer(images))

            def both(layer=layer, images=images, given=given) -> None:
                layer(images).backward(given)

            sums["torch"] += best(both)
            quicken(layer)
            sums["lrtui"] += best(both)
        said = ", ".join(f"by {name}'s way {BATCH / took:,.0f}" for name, took in sums.items())
        name = "fp32" if dtype == torch.float32 else "bf16"
        print(
            f"{threads} thread(s), {name}: convolutions alone, images/s: {said}; "
            f"a product of matrices: {rate:,.0f} GFLOP/s",
            flush=True,
        )


def emission(prepared: str, model: str) -> None:
    """Print the share of a training's time that its metric lines take: their numbers (means, the gradient's norm), and writing."""
    folder = tempfile.TemporaryDirectory()
    os.environ["LRTUI_METRICS"] = f"{folder.name}/metrics"
    from lrtui.train import loop
    from lrtui.train.options import parse

    steps = 60 if model == "cnn7" else 3200
    words = [f"--prepared={prepared}", f"--model={model}", "--lr=1e-3", f"--steps={steps}"]
    words += ["--batch-size=128" if model == "cnn7" else "--batch-size=32", "--threads=1"]
    spent = {"numbers": 0.0, "writing": 0.0}
    counts = dict.fromkeys(spent, 0)

    def timed(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def run(*args: object, **named: object) -> object:
            began = time.perf_counter()
            try:
                return function(*args, **named)
            finally:
                spent[name] += time.perf_counter() - began
                counts[name] += 1

        return run

    loop._grad_norm = timed("numbers", loop._grad_norm)
    loop._trained = timed("numbers", loop._trained)
    loop.Own.emit = timed("writing", loop.Own.emit)
    began = time.perf_counter()
    with contextlib.redirect_stdout(None):
        loop.train(parse(words))
    whole = time.perf_counter() - began
    print(
        f"{model}: {counts['writing']} lines in {steps} steps and {whole:.1f} s: "
        + ", ".join(f"{name} {took / whole:.2%}" for name, took in spent.items())
        + f"; in all {sum(spent.values()) / whole:.2%} of the time",
        flush=True,
    )


PARTS = {"convolutions": convolutions, "emission": emission}

if __name__ == "__main__":
    PARTS[sys.argv[1]](*sys.argv[2:])
