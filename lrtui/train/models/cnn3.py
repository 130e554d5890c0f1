"""Three small convolutions for small images: trains on the 8x8 digits in seconds on one core."""

from __future__ import annotations

from torch import nn


def cnn3(channels: int, size: int, classes: int, width: int = 16) -> nn.Module:
    """Return a network for (N, channels, size, size), size >= 4; 23,946 parameters for one channel, 10 classes.

    Raises:
        ValueError: smaller images, or a width below 1.

    """
    if width < 1:
        raise ValueError(f"cnn3 needs a width of at least 1 (found {width})")
    if size < 4:
        raise ValueError(f"cnn3 takes images of at least 4x4 (found {size}x{size})")
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(2 * width, 4 * width, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * width, classes),
    )
