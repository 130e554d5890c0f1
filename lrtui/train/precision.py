"""`precision = "auto"`: in which precision a model trains faster here. `prepare` asks, once for a sweep.

    a GPU       bf16 where it has it in hardware (compute capability 8.0 or more), else fp32
    the CPU     a few training steps in each, in turns; bf16 where it is clearly faster, else fp32

The whole step is measured, since a CPU may multiply matrices four times as fast in bf16 and yet train a small model
slower: every layer then converts its inputs.
"""

from __future__ import annotations

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
"""Steps of each, cut short after so long."""


def faster(options: Options) -> tuple[str, str]:
    """Return "bf16" or "fp32", and how it was found out, in words.

    Raises:
        UsageError: the prepared folder, the model and the options do not go together.

    """
    device = chosen_device()
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        native = major >= 8
        said = f"{torch.cuda.get_device_name(device)}, compute capability {major}.{minor}"
        return ("bf16" if native else "fp32"), said
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


def _seconds(training: Training) -> float:
    """Return how long one training step takes."""
    began = time.monotonic()
    take_step(training)
    return time.monotonic() - began
