"""The scripts that everyone writes: data set and transforms of torchvision, DataLoader with two workers, torch.optim.

    python tests/benchmarks/plain.py DATA_DIR THREADS LOG [STEPS [LR]]
    python tests/benchmarks/plain.py digits THREADS LOG EPOCHS LR

The first trains the article's network on Fashion-MNIST and appends {"step", "time", "train_loss"} to LOG after each
step; with STEPS it ends there, after a look at the test images. The second trains a small network on scikit-learn's
digits, with a look at its test images after each epoch. `train.py` measures both against lrtui's trainer.
"""

from __future__ import annotations

import json
import sys
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


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


def fashion(data_dir: str, threads: int, log: str, steps: int, lr: float) -> None:
    from torchvision import datasets, transforms

    torch.set_num_threads(threads)
    transform = transforms.Compose(
        [transforms.Pad(2), transforms.ToTensor(), transforms.Normalize((0.2860,), (0.3530,))]
    )
    data = datasets.FashionMNIST(data_dir, train=True, transform=transform)
    loader = DataLoader(data, batch_size=128, shuffle=True, num_workers=2)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = network().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    loss_function = nn.CrossEntropyLoss()
    with open(log, "a") as file:
        for step, (images, labels) in enumerate(loader, start=1):
            optimizer.zero_grad()
            loss = loss_function(model(images.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
            line = {"step": step, "time": time.monotonic(), "train_loss": loss.item()}
            print(json.dumps(line), file=file, flush=True)
            if step == steps:
                break
    if steps:
        test = datasets.FashionMNIST(data_dir, train=False, transform=transform)
        print(accuracy(model, DataLoader(test, batch_size=128, num_workers=2), device))


def digits(threads: int, epochs: int, lr: float) -> None:
    from sklearn.datasets import load_digits

    torch.set_num_threads(threads)
    raw = load_digits()
    images = torch.tensor(raw.data, dtype=torch.float32) / 16
    data = TensorDataset(images, torch.tensor(raw.target))
    train, test = random_split(data, [1000, len(data) - 1000])
    loader = DataLoader(train, batch_size=32, shuffle=True, num_workers=2)
    model = nn.Sequential(
        *(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    loss_function = nn.CrossEntropyLoss()
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            loss = loss_function(model(images), labels)
            loss.backward()
            optimizer.step()
        print(accuracy(model, DataLoader(test, batch_size=128), "cpu"))


def accuracy(model: nn.Module, loader: DataLoader, device: str) -> float:
    model.eval()
    right = count = 0
    with torch.no_grad():
        for images, labels in loader:
            right += (model(images.to(device)).argmax(1).cpu() == labels).sum().item()
            count += len(labels)
    model.train()
    return right / count


if __name__ == "__main__":
    place, count, file, *rest = sys.argv[1:]
    if place == "digits":
        digits(int(count), int(rest[0]), float(rest[1]))
    else:
        fashion(
            place,
            int(count),
            file,
            int(rest[0]) if rest else 0,
            float(rest[1]) if len(rest) > 1 else 1e-3,
        )
