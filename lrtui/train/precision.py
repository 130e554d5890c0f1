"""`precision = "auto"`: measures in which precision a model trains faster here. `prepare` calls it once per sweep.

    a GPU       bf16 where it has it in hardware (compute capability 8.0 or more), else fp32
    the CPU     fp32 where it multiplies matrices much more slowly in bf16; else a few training steps in each, in turns: bf16 where
                it is clearly faster, else fp32

The whole step is measured, since a CPU may multiply matrices four times as fast in bf16 and yet train a small model
slower: every layer then converts its inputs.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from lrtui.train.loop import settle
from lrtui.train.run_state import Training, chosen_device, set_up
from lrtui.train.step import take_step

if TYPE_CHECKING:
    from lrtui.train.options import Options

CLEARLY = 1.2
"""bf16 rounds to three digits; it is not worth that for a few percent."""
BATCH = 128
"""Larger ones tell nothing more about the ratio and take longer."""
ROUNDS, SECONDS = 50, 4.0
"""Steps measured in each precision, and the seconds after which measuring ends early."""
HOPELESS = 4.0
"""If products are slower by this factor than required, no training step is measured: one took 10 s on such a CPU."""


def faster(options: Options) -> tuple[str, str]:
    """Return "bf16" or "fp32", and the reason as text.

    Raises:
        UsageError: the prepared folder, the model and the options do not go together.

    """
    device = chosen_device()
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        native = major >= 8
        said = f"{torch.cuda.get_device_name(device)}, compute capability {major}.{minor}"
        return ("bf16" if native else "fp32"), said
    product = bf16_speed()
    if product < CLEARLY / HOPELESS:
        return "fp32", f"bf16 multiplies matrices {product:.2f} times as fast as fp32 on this CPU"
    settle(options)
    small = replace(options, batch_size=min(options.batch_size, BATCH))
    contenders = {name: set_up(replace(small, precision=name)) for name in ("fp32", "bf16")}
    took = dict.fromkeys(contenders, float("inf"))
    for training in contenders.values():
        take_step(training)  # the first one warms up
    deadline = time.monotonic() + SECONDS
    for _ in range(ROUNDS):
        for name, training in contenders.items():
            took[name] = min(took[name], _seconds(training))
        if time.monotonic() > deadline:
            break
    ratio = took["fp32"] / took["bf16"]
    said = f"bf16 trains {options.model} {ratio:.2f} times as fast as fp32 on this CPU"
    return ("bf16" if ratio >= CLEARLY else "fp32"), said


def bf16_speed() -> float:
    """Return how many times as fast as in fp32 this CPU multiplies matrices in bf16: 0.02 on one without instructions for it."""
    matrices = [torch.ones(256, 256, dtype=dtype) for dtype in (torch.float32, torch.bfloat16)]
    took = [math.inf, math.inf]
    for _ in range(5):
        for index, matrix in enumerate(matrices):
            began = time.monotonic()
            matrix @ matrix
            took[index] = min(took[index], time.monotonic() - began)
    return took[0] / took[1]


def _seconds(training: Training) -> float:
    """Return how long one training step takes."""
    began = time.monotonic()
    take_step(training)
    return time.monotonic() - began
