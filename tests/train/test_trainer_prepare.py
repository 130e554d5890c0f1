"""Data is prepared once, whole or not at all; without data there is a remedy, never a stand-in."""

from __future__ import annotations

import gzip
import hashlib
import json
import pickle
import struct
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from lrtui.train import prepare, prepared_arrays
from lrtui.train.datasets import CUSTOM_DATASETS, DATASETS, synthetic, vision
from tests.train.forks import Forked

KEYS = {"dataset", "path", "classes", "train", "val", "test", "checksum", "synthetic"}


def start(dataset, folder, *more, **environment):
    words = ["--dataset", dataset, "--data-dir", str(folder), *more]
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2]), **environment}
    return Forked([sys.executable, "-m", "lrtui.train.prepare", *words], env, folder.parent)


def run(dataset, folder, *more, **environment):
    process = start(dataset, folder, *more, **environment)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def test_digits_are_prepared_and_described_on_stdout_and_in_the_attempt(tmp_path):
    code, out, err = run("digits", tmp_path / "data", LRTUI_ATTEMPT_DIR=str(tmp_path))
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert set(answer) == KEYS
    assert json.loads((tmp_path / "prepared.json").read_text()) == answer
    assert (answer["train"], answer["val"], answer["test"]) == (1000, 400, 397)
    assert (answer["classes"], answer["synthetic"]) == (10, False)
    assert Path(answer["path"]).name == f"digits-{answer['checksum'][:12]}"
    images, labels = prepared_arrays.open_part(Path(answer["path"]), "train")
    assert (images.shape, images.dtype, images.max()) == ((1000, 1, 8, 8), np.uint8, 255)
    assert np.bincount(labels).min() >= 95
    assert not list((tmp_path / "data" / "prepared").glob(".digits-*"))


def test_a_second_preparation_keeps_the_folder_and_force_writes_the_same(tmp_path):
    first = prepare.prepare("digits", tmp_path)
    inode = Path(first["path"]).stat().st_ino
    assert prepare.prepare("digits", tmp_path) == first
    assert prepare.prepare("digits", tmp_path, force=True) == first
    assert Path(first["path"]).stat().st_ino == inode


@pytest.mark.parametrize("fault", ["flip", "cut", "gone", "about", "mean"])
def test_a_damaged_folder_is_written_again(tmp_path, fault):
    answer = prepare.prepare("digits", tmp_path)
    folder = Path(answer["path"])
    file = folder / ("about.json" if fault in {"about", "mean"} else "val_images.npy")
    data = bytearray(file.read_bytes())
    if fault == "gone":
        file.unlink()
    elif fault in {"cut", "about"}:
        file.write_bytes(data[:-100])
    elif fault == "mean":
        about = json.loads(data)
        file.write_text(json.dumps(about | {"mean": [about["mean"][0] + 1]}))
    else:
        data[-10] ^= 1
        file.write_bytes(data)
    assert not prepared_arrays.intact(folder)
    assert prepare.prepare("digits", tmp_path) == answer
    assert prepared_arrays.intact(folder)


def test_two_preparations_at_once_do_it_once(tmp_path):
    processes = [start("digits", tmp_path) for _ in range(3)]
    answers = [process.communicate(timeout=300)[0] for process in processes]
    assert {process.returncode for process in processes} == {0}
    assert len(set(answers)) == 1
    assert len(list((tmp_path / "prepared").glob("digits-*"))) == 1


def test_a_preparation_killed_midway_leaves_nothing_that_looks_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(
        prepared_arrays.json, "dump", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare("digits", tmp_path)
    assert [path.name for path in (tmp_path / "prepared").iterdir()] == [".digits.lock"]


def test_what_a_kill_minus_9_left_is_swept_up(tmp_path):
    left = tmp_path / "prepared" / ".digits-abcd"
    left.mkdir(parents=True)
    (left / "train_images.npy").write_bytes(b"half")
    prepare.prepare("digits", tmp_path)
    assert not left.exists()


def test_synthetic_data_is_labelled_and_the_same_everywhere(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "TRAIN", 3000)
    monkeypatch.setattr(synthetic, "TEST", 500)
    answer = prepare.prepare("synthetic", tmp_path)
    assert answer["synthetic"] is True
    assert DATASETS["synthetic"].what.startswith("SYNTHETIC")
    images, labels = prepared_arrays.open_part(Path(answer["path"]), "test")
    assert (images.shape, images.dtype) == ((500, 3, 32, 32), np.uint8)
    assert np.bincount(labels).tolist() == [50] * 10
    assert answer["checksum"].startswith("670e62fcd7e6")


def test_an_unknown_dataset_is_a_usage_error(tmp_path):
    code, _, err = run("imagenet", tmp_path)
    assert code == 2
    assert err == f"no dataset 'imagenet'; known: {', '.join([*DATASETS, *CUSTOM_DATASETS])}\n"


@pytest.mark.parametrize(
    ("dataset", "archive", "md5"),
    [
        ("cifar100", "cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85"),
        ("cifar10", "cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),
        ("mnist", "MNIST/raw/train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
    ],
)
def test_no_data_and_no_network_is_exit_5_with_the_remedy(tmp_path, dataset, archive, md5):
    proxy = "http://127.0.0.1:9"  # nobody listens: whatever network there is cannot be reached
    code, out, err = run(dataset, tmp_path, http_proxy=proxy, https_proxy=proxy)
    assert (code, out) == (5, "")
    assert f"{tmp_path / archive}   md5 {md5}   (not there)" in err
    assert "--dataset synthetic" in err
    assert "Traceback" not in err
    assert not list((tmp_path / "prepared").glob(f"{dataset}-*"))


def test_a_server_that_never_answers_is_given_up(tmp_path, monkeypatch):
    import socket

    from torchvision import datasets

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setattr(
            datasets.CIFAR100, "url", f"http://127.0.0.1:{port}/cifar-100-python.tar.gz"
        )
        monkeypatch.setattr(vision, "CONNECT_SECONDS", 0.5)
        with pytest.raises(vision.NoDataError, match="does not answer"):
            vision.cifar100(tmp_path)


def test_a_wrong_archive_is_named_as_such(tmp_path):
    (tmp_path / "cifar-100-python.tar.gz").write_bytes(b"half a download")
    code, _, err = run("cifar100", tmp_path, https_proxy="http://127.0.0.1:9")
    assert code == 5
    assert "(another md5 there now)" in err


def _cifar100_archive(folder):
    """An archive in the format of the original, with 20 training and 10 test images of each of 100 classes."""
    rng = np.random.default_rng(0)
    inner = folder / "cifar-100-python"
    inner.mkdir()
    truth = {}
    for name, each in (("train", 60), ("test", 10)):
        labels = rng.permutation(np.repeat(np.arange(100), each)).tolist()
        pixels = rng.integers(0, 256, (len(labels), 3072)).astype(np.uint8)
        truth[name] = (pixels.reshape(-1, 3, 32, 32), np.array(labels))
        entry = {"data": pixels, "fine_labels": labels, "coarse_labels": [0] * len(labels)}
        (inner / name).write_bytes(pickle.dumps(entry))
    (inner / "meta").write_bytes(pickle.dumps({"fine_label_names": [f"c{n}" for n in range(100)]}))
    md5 = {file.name: hashlib.md5(file.read_bytes()).hexdigest() for file in inner.iterdir()}
    archive = folder / "cifar-100-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(inner, inner.name)
    for file in inner.iterdir():
        file.unlink()
    inner.rmdir()
    return md5, hashlib.md5(archive.read_bytes()).hexdigest(), truth


def test_cifar100_is_read_from_its_archive_by_the_code_that_reads_the_original(
    tmp_path, monkeypatch
):
    from torchvision import datasets

    md5, archive_md5, truth = _cifar100_archive(tmp_path)
    kind = datasets.CIFAR100
    monkeypatch.setattr(kind, "tgz_md5", archive_md5)
    monkeypatch.setattr(kind, "train_list", [["train", md5["train"]]])
    monkeypatch.setattr(kind, "test_list", [["test", md5["test"]]])
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": md5["meta"]})
    answer = prepare.prepare("cifar100", tmp_path)
    assert (answer["classes"], answer["train"], answer["val"], answer["test"]) == (
        100,
        1000,
        5000,
        1000,
    )
    images, labels = prepared_arrays.open_part(Path(answer["path"]), "test")
    assert np.array_equal(images, truth["test"][0])
    assert np.array_equal(labels, truth["test"][1])
    train, train_labels = prepared_arrays.open_part(Path(answer["path"]), "train")
    val, val_labels = prepared_arrays.open_part(Path(answer["path"]), "val")
    assert np.bincount(val_labels).tolist() == [50] * 100
    seen = sorted(image.tobytes() for image in (*train, *val))
    assert seen == sorted(image.tobytes() for image in truth["train"][0])
    by_bytes = {image.tobytes(): label for image, label in zip(*truth["train"], strict=True)}
    assert all(by_bytes[i.tobytes()] == n for i, n in zip(train, train_labels, strict=True))


def _idx(array):
    code = {1: 0x801, 3: 0x803}[array.ndim]
    return struct.pack(f">I{array.ndim}I", code, *array.shape) + array.tobytes()


def test_fashion_mnist_is_taken_from_debians_files(tmp_path):
    packaged = tmp_path / "debian"
    packaged.mkdir()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12_000, 28, 28)).astype(np.uint8)
    labels = (np.arange(12_000) % 10).astype(np.uint8)
    for name, array in {
        "train-images-idx3-ubyte": images,
        "train-labels-idx1-ubyte": labels,
        "t10k-images-idx3-ubyte": images[:100],
        "t10k-labels-idx1-ubyte": labels[:100],
    }.items():
        with gzip.open(packaged / f"{name}.gz", "wb", compresslevel=1) as file:
            file.write(_idx(array))
    code, out, err = run("fashion_mnist", tmp_path / "data", LRTUI_FASHION_MNIST=str(packaged))
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert (answer["train"], answer["val"], answer["test"]) == (2000, 10_000, 100)
    test, truth = prepared_arrays.open_part(Path(answer["path"]), "test")
    assert np.array_equal(test[:, 0], images[:100])
    assert np.array_equal(truth, labels[:100])
