"""The article's network: seven 3x3 convolutions and one linear layer.

For 3x32x32 images and 100 classes: 5,201,124 parameters and 175.0 million floating-point operations (two per
multiply-add) an image forward, 43 % of them in the sixth convolution. Sizes of the feature maps:

    3x32x32 -> 16x16x16 (stride 2) -> 64x16x16 -> pool -> 128x8x8 -> 256x8x8 -> pool -> 512x4x4 -> 512x4x4
            -> pool -> 256x2x2 -> 1024 features -> classes

Widths and strides are the ones that those published counts admit. Images of 28x28 would leave 256 features, so
smaller images are padded to 32x32 (`data.py`). Images with one channel get a first convolution with one input
channel (288 parameters fewer); they are not repeated to three.
"""

from __future__ import annotations

from torch import nn


def cnn7(channels: int, size: int, classes: int, width: int = 16) -> nn.Module:
    """Return the network for (N, channels, 32, 32); with another `width` than the article's 16 all channels in proportion.

    Raises:
        ValueError: another size than 32, or a width below 1.

    """
    if width < 1:
        raise ValueError(f"cnn7 needs a width of at least 1 (found {width})")
    if size != 32:
        raise ValueError(f"cnn7 takes images of 32x32 (found {size}x{size})")
    return nn.Sequential(
        *_convolution(channels, width, stride=2),
        *_convolution(width, 4 * width),
        nn.MaxPool2d(2),
        *_convolution(4 * width, 8 * width),
        *_convolution(8 * width, 16 * width),
        nn.MaxPool2d(2),
        *_convolution(16 * width, 32 * width),
        *_convolution(32 * width, 32 * width),
        nn.MaxPool2d(2),
        *_convolution(32 * width, 16 * width),
        nn.Flatten(),
        nn.Linear(16 * width * 2 * 2, classes),
    )


def _convolution(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1), nn.ReLU(inplace=True)
