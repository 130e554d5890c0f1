"""The script that everyone writes: torchvision data set and transforms, DataLoader with two workers, torch.optim.

    python tests/benchmarks/plain.py DATA_DIR THREADS LOG

Trains the article's network on Fashion-MNIST and appends {"step", "time", "train_loss"} to LOG after each step.
`train.py` measures it against lrtui's trainer.
"""

from __future__ import annotations

import json
import sys
import time

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms


def network() -> nn.Module:
    layers: list[nn.Module] = []
    inputs = 1
    for outputs, stride, pool in (
        (16, 2, False),
        (64, 1, True),
        (128, 1, False),
        (256, 1, True),
        (512, 1, False),
        (512, 1, True),
        (256, 1, False),
    ):
        layers += [nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if pool else []
        inputs = outputs
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(1024, 10))


def main(data_dir: str, threads: int, log: str) -> None:
    torch.set_num_threads(threads)
    transform = transforms.Compose(
        [transforms.Pad(2), transforms.ToTensor(), transforms.Normalize((0.2860,), (0.3530,))]
    )
    data = datasets.FashionMNIST(data_dir, train=True, transform=transform)
    loader = DataLoader(data, batch_size=128, shuffle=True, num_workers=2)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_function = nn.CrossEntropyLoss()
    with open(log, "a") as file:
        for step, (images, labels) in enumerate(loader, start=1):
            optimizer.zero_grad()
            loss = loss_function(model(images), labels)
            loss.backward()
            optimizer.step()
            line = {"step": step, "time": time.monotonic(), "train_loss": loss.item()}
            print(json.dumps(line), file=file, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
