"""A small residual network for small images (He et al. 2016, section 4.2, with 1x1 convolutions as in option B).

One 3x3 convolution, three stages of `blocks` blocks of two 3x3 convolutions each, with `width`, 2 * `width` and
4 * `width` channels, the second and third of half the size; mean over the pixels, one linear layer. `blocks = 3` is
ResNet-20, 272,474 parameters for 3x32x32 and 10 classes; `blocks = 1` is ResNet-8.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


def resnet(channels: int, size: int, classes: int, width: int = 16, blocks: int = 3) -> nn.Module:
    """Return the network for (N, channels, size, size), size >= 8.

    Raises:
        ValueError: smaller images, or `width` or `blocks` below 1.

    """
    if size < 8:
        raise ValueError(f"resnet takes images of at least 8x8 (found {size}x{size})")
    if width < 1 or blocks < 1:
        raise ValueError(f"resnet needs width and blocks of at least 1 (found {width}, {blocks})")
    stages = []
    inputs = width
    for stage in range(3):
        outputs = width * 2**stage
        for block in range(blocks):
            stages.append(_Block(inputs, outputs, stride=2 if stage and not block else 1))
            inputs = outputs
    model = nn.Sequential(
        *_convolution(channels, width, 3),
        nn.ReLU(inplace=True),
        *stages,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(inputs, classes),
    )
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return model


class _Block(nn.Module):
    """Two convolutions beside a way around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*_convolution(inputs, outputs, 3, stride))
        self.second = nn.Sequential(*_convolution(outputs, outputs, 3))
        same = stride == 1 and inputs == outputs
        self.around = nn.Sequential(*(() if same else _convolution(inputs, outputs, 1, stride)))

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, outputs, H / stride, W / stride)."""
        changed: Tensor = self.second(functional.relu(self.first(images)))
        return functional.relu(changed + self.around(images))


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> tuple[nn.Module, ...]:
    """Return a convolution without bias, which the normalisation after it would undo, and the normalisation."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return convolution, nn.BatchNorm2d(outputs)
