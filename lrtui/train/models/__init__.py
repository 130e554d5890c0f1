"""Models: what is trained. Imports nothing of torch.

To add one: a file beside this one with a function `(channels, size, classes, **options) -> torch.nn.Module` that
maps (N, channels, size, size) to (N, classes) logits, and one line here. The option `width` is always the number of
channels or units of the first layer; the others keep their proportions to it.

    model = "cnn7"                                  one of MODELS
    model = { mlp = { width = 64 } }                with options
    model = "my_model:build"                        the user's own: the function build in my_model.py beside the
    model = { "my_model:build" = { depth = 3 } }    experiment file, with the same signature (`own.py` loads it)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrtui.train.registry import NUMBER, Model, Range

if TYPE_CHECKING:
    from pathlib import Path

_WIDTH = Range(least=1, most=16_384)
_DEPTH = Range(least=1, most=1_000)

MODELS: dict[str, Model] = {
    "cnn7": Model(
        where="lrtui.train.models.cnn7:cnn7",
        what="the article's network: seven convolutions and a linear layer, 5.2 million parameters, 32x32 input",
        fields={"width": (int,)},
        ranges={"width": _WIDTH},
        size=32,
        cpu_rate=250,
    ),
    "cnn3": Model(
        where="lrtui.train.models.cnn3:cnn3",
        what="three small convolutions, 24 thousand parameters, any image size",
        fields={"width": (int,)},
        ranges={"width": _WIDTH},
        cpu_rate=5_000,
    ),
    "mlp": Model(
        where="lrtui.train.models.mlp:mlp",
        what="hidden layers of `width` (256) units, `depth` (2) of them",
        fields={"width": (int,), "depth": (int,)},
        ranges={"width": _WIDTH, "depth": _DEPTH},
        cpu_rate=60_000,
    ),
    "linear": Model(
        where="lrtui.train.models.linear:linear",
        what="one linear layer: softmax regression",
        cpu_rate=200_000,
    ),
    "resnet": Model(
        where="lrtui.train.models.resnet:resnet",
        what="a small residual network: three stages of `blocks` (3: ResNet-20), `width` (16) channels in the first",
        fields={"width": (int,), "blocks": (int,)},
        ranges={"width": _WIDTH, "blocks": _DEPTH},
        cpu_rate=400,
    ),
    "vit": Model(
        where="lrtui.train.models.vit:vit",
        what="a small vision transformer: patches of `patch` (4) pixels, `width` (128), `depth` (4), `heads` (4)",
        fields={
            "width": (int,),
            "depth": (int,),
            "heads": (int,),
            "patch": (int,),
            "dropout": NUMBER,
        },
        ranges={
            "width": _WIDTH,
            "depth": _DEPTH,
            "heads": Range(least=1, most=1_024),
            "patch": Range(least=1, most=512),
            "dropout": Range(least=0, below=1),
        },
        cpu_rate=500,
    ),
}

ARGUMENTS = ("channels", "size", "classes")
"""What every model is built with, by position; its options follow by name."""
OWN_RATE = 1_000
"""`cpu_rate` of a model that is not known."""


def is_custom(name: str) -> bool:
    """Return whether a model's name refers to the user's own function."""
    return ":" in name


def entry_of(name: str) -> Model:
    """Return the entry of a model; for a custom model only its location is known."""
    if is_custom(name):
        return Model(where=name, what="your own", cpu_rate=OWN_RATE)
    return MODELS[name]


def module_file(folder: Path, module: str) -> Path | None:
    """Return the file of a custom module; None if there is none."""
    base = folder.joinpath(*module.split("."))
    for file in (base.with_name(base.name + ".py"), base / "__init__.py"):
        if file.is_file():
            return file
    return None
