"""Models: what is trained. Imports nothing of torch.

To add one: a file beside this one with a function `(channels, size, classes, **options) -> torch.nn.Module` that
maps (N, channels, size, size) to (N, classes) logits, and one line here.
"""

from __future__ import annotations

from lrtui.train.table import Model

MODELS: dict[str, Model] = {
    "cnn7": Model(
        where="lrtui.train.models.cnn7:cnn7",
        what="the article's network: seven convolutions and a linear layer, 5.2 million parameters, 32x32 input",
        size=32,
        wide=True,
        cpu_rate=250,
    ),
    "cnn3": Model(
        where="lrtui.train.models.cnn3:cnn3",
        what="three small convolutions, 24 thousand parameters, any image size",
        cpu_rate=5_000,
    ),
    "mlp": Model(
        where="lrtui.train.models.mlp:mlp",
        what="hidden layers of `width` (256) units, `depth` (2) of them",
        fields={"width": (int,), "depth": (int,)},
        cpu_rate=60_000,
    ),
    "linear": Model(
        where="lrtui.train.models.linear:linear",
        what="one linear layer: softmax regression",
        cpu_rate=200_000,
    ),
}
