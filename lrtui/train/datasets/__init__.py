"""Data sets. Imports neither numpy nor torchvision.

To add one: a file beside this one (or a function in one) `(data_dir: Path) -> store.Source`, and one line here.
Only the preparation (`lrtui.train.prepare`) calls it; a training process never does.

    dataset = "cifar100"                                    one of DATASETS
    dataset = { folder = "images", size = 64 }              data of the user's own: one of CUSTOM_DATASETS, its path relative to
    dataset = { npz = "data.npz", val = 0.1, test = 0.2 }   the experiment file
"""

from __future__ import annotations

from lrtui.train.registry import NUMBER, CustomDataset, Dataset, Range

DATASETS: dict[str, Dataset] = {
    "digits": Dataset(
        where="lrtui.train.datasets.digits:digits",
        modules=("torch", "sklearn"),
        what="1,797 handwritten digits of 8x8, from scikit-learn; needs no network",
        classes=10,
        train=1_000,
        validation=400,
    ),
    "mnist": Dataset(
        where="lrtui.train.datasets.vision:mnist",
        modules=("torch", "torchvision"),
        what="70,000 handwritten digits of 28x28",
        classes=10,
        train=50_000,
        validation=10_000,
    ),
    "fashion_mnist": Dataset(
        where="lrtui.train.datasets.vision:fashion_mnist",
        modules=("torch", "torchvision"),
        what="70,000 pieces of clothing of 28x28; taken from Debian's package where installed",
        classes=10,
        flip=True,
        train=50_000,
        validation=10_000,
    ),
    "cifar10": Dataset(
        where="lrtui.train.datasets.vision:cifar10",
        modules=("torch", "torchvision"),
        what="60,000 colour photographs of 32x32 in 10 classes",
        classes=10,
        flip=True,
        train=45_000,
        validation=5_000,
    ),
    "cifar100": Dataset(
        where="lrtui.train.datasets.vision:cifar100",
        modules=("torch", "torchvision"),
        what="60,000 colour photographs of 32x32 in 100 classes",
        classes=100,
        flip=True,
        train=45_000,
        validation=5_000,
    ),
    "synthetic": Dataset(
        where="lrtui.train.datasets.synthetic:synthetic",
        what="SYNTHETIC: 24,000 computed images of 32x32 in colour, 10 classes; the same on every machine",
        classes=10,
        flip=True,
        synthetic=True,
        train=18_000,
        validation=2_000,
    ),
}

_SHARE = Range(least=0.001, most=0.5)

CUSTOM_DATASETS: dict[str, CustomDataset] = {
    "folder": CustomDataset(
        where="lrtui.train.datasets.folder:folder",
        modules=("torch", "PIL"),
        what="images of your own: a folder with one sub-folder per class, or with train/, val/ and test/ of such",
        fields={
            "path": (str,),
            "size": (int,),
            "grey": (bool,),
            "flip": (bool,),
            "val": NUMBER,
            "test": NUMBER,
        },
        ranges={"size": Range(least=4, most=512), "val": _SHARE, "test": _SHARE},
        principal="path",
        needs=("path",),
    ),
    "npz": CustomDataset(
        where="lrtui.train.datasets.npz:npz",
        what="arrays of your own in an .npz file: train_images, train_labels, and test_ and val_ as you have them",
        fields={"path": (str,), "flip": (bool,), "val": NUMBER, "test": NUMBER},
        ranges={"val": _SHARE, "test": _SHARE},
        principal="path",
        needs=("path",),
    ),
}
"""Their option `flip` says whether a mirrored image keeps its meaning; without it none is mirrored."""
