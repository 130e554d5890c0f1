"""Images and arrays of the user's own: found, made equal, divided, and prepared once; mistakes are named."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lrtui.config import parse
from lrtui.errors import ExperimentError
from lrtui.hardware import cpu
from lrtui.train import prepare, prepared_arrays
from lrtui.train.datasets import custom_data, folder
from lrtui.train.options import Choice, UsageError
from tests.train.forks import Forked

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)


def paint(path, size=(20, 20), colour=(10, 20, 30), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)


def images(root, classes=("cat", "dog"), count=10, below=""):
    for number, name in enumerate(classes):
        for i in range(count):
            paint(root / below / name / f"{i}.png", colour=(number * 100, i, 7))
    return root


def start(dataset, tmp_path, largest_file=resource.RLIM_INFINITY):
    code = (
        f"import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, ({largest_file},) * 2); "
        "runpy.run_module('lrtui.train.prepare', run_name='__main__', alter_sys=True)"
    )
    words = [f"--dataset={json.dumps(dataset)}", f"--data-dir={tmp_path / 'data'}"]
    words.append(f"--beside={tmp_path}")
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    if largest_file == resource.RLIM_INFINITY:
        return Forked([sys.executable, "-m", "lrtui.train.prepare", *words], env, tmp_path)
    return subprocess.Popen(
        [sys.executable, "-B", "-c", code, *words],  # a limit cuts Python's own caches off too
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(dataset, tmp_path, **limits):
    process = start(dataset, tmp_path, **limits)
    out, err = process.communicate(timeout=300)
    assert "Traceback" not in err
    return process.returncode, out, err


def prepared(kind, tmp_path, name, **options):
    choice = Choice(kind, {"path": name, **options})
    return prepare.prepare(choice, tmp_path / "data", beside=tmp_path)


def parts(answer):
    return {
        part: prepared_arrays.open_part(Path(answer["path"]), part)
        for part in prepared_arrays.PARTS
    }


# ---------------------------------------------------------------- a folder of images


def test_a_folder_of_classes_is_divided_in_proportion(tmp_path):
    images(tmp_path / "images", ("dog", "cat"), 10)
    paint(tmp_path / "images" / "cat" / "deeper" / "10.JPG", colour=(0, 0, 0))
    (tmp_path / "images" / "cat" / "notes.txt").write_text("no image")
    (tmp_path / "images" / ".cache" / "x").mkdir(parents=True)
    code, out, err = run({"folder": "images"}, tmp_path)
    assert code == 0
    answer = json.loads(out)
    assert (answer["classes"], answer["train"], answer["val"], answer["test"]) == (2, 15, 2, 4)
    assert "1 files that are no images" in err
    assert "21 images of 2 classes: 15 train, 2 val, 4 test; val drawn from each class" in err
    for pixels, labels in parts(answer).values():
        assert pixels.shape[1:] == (3, 32, 32)
        red = pixels[:, 0, 16, 16]
        assert not red[labels == 1].any()
        assert set(red[labels == 0].tolist()) <= {0, 100}


def test_the_classes_are_numbered_by_name(tmp_path):
    images(tmp_path / "images", ("b", "a"), 10)  # b is painted 0, a 100
    for pixels, labels in parts(prepared("folder", tmp_path, "images")).values():
        assert (pixels[:, 0, 0, 0] == np.where(labels == 0, 100, 0)).all()


def test_parts_that_are_set_apart_are_kept_and_a_missing_one_is_drawn(tmp_path):
    root = tmp_path / "images"
    images(root, count=20, below="train")
    images(root, count=3, below="valid")
    answer = prepared("folder", tmp_path, "images", test=0.1)
    assert (answer["train"], answer["val"], answer["test"]) == (35, 6, 5)
    images(root, count=4, below="test")
    answer = prepared("folder", tmp_path, "images")
    assert (answer["train"], answer["val"], answer["test"]) == (40, 6, 8)


def test_a_class_may_be_called_train(tmp_path):
    images(tmp_path / "images", ("plane", "train"))
    assert prepared("folder", tmp_path, "images")["classes"] == 2


def test_sizes_are_made_equal_by_the_central_square(tmp_path):
    root = tmp_path / "images"
    images(root)
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = RNG.integers(0, 256, (20, 20, 3))
    file = root / "cat" / "wide.png"
    Image.fromarray(wide).save(file)
    image = np.empty((3, 20, 20), np.uint8)
    assert folder._read(file, image) == ""
    assert np.array_equal(image, wide[:, 20:40].transpose(2, 0, 1))
    half = np.empty((3, 10, 10), np.uint8)
    assert folder._read(file, half) == ""
    square = Image.fromarray(wide[:, 20:40]).resize((10, 10), Image.Resampling.BILINEAR)
    assert np.array_equal(half, np.asarray(square).transpose(2, 0, 1))


def test_the_cameras_orientation_is_applied_and_grey_is_one_channel(tmp_path):
    pixels = RNG.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    image = np.empty((3, 8, 8), np.uint8)
    assert folder._read(tmp_path / "a.png", image) == ""
    assert np.array_equal(image, pixels[::-1, ::-1].transpose(2, 0, 1))
    images(tmp_path / "images")
    answer = prepared("folder", tmp_path, "images", grey=True, size=8, flip=True)
    about = prepared_arrays.read_about(Path(answer["path"]))
    assert (about.channels, about.size, about.flip) == (1, 8, True)


def test_the_extensions_are_torchvisions():
    from torchvision.datasets.folder import IMG_EXTENSIONS

    assert sorted(folder.EXTENSIONS) == sorted(IMG_EXTENSIONS)


def _broken(root):
    images(root)
    (root / "cat" / "broken.png").write_bytes((root / "cat" / "0.png").read_bytes()[:60])
    (root / "dog" / "empty.jpg").touch()


def _deep(root):
    images(root)
    Image.fromarray(RNG.integers(0, 60_000, (9, 9)).astype(np.uint16)).save(root / "cat" / "d.png")


def _strange(root):
    images(root, below="train")
    images(root, ("cat", "eel"), below="val")


def _empty(root):
    images(root)
    (root / "eel").mkdir()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda root: root.mkdir(), "there must be two at least (found none"),
        (lambda root: images(root, ("cat",)), "there must be two at least (found only cat/"),
        (lambda root: root.write_text("x"), "not a folder"),
        (lambda root: None, "no such folder"),
        (_empty, "no images in the class eel (looked for .jpg"),
        (_broken, "2 of 22 images cannot be read"),
        (_deep, "pixels of mode I;16: convert it to 8 bits"),
        (_strange, "val/ has the class eel, which train/ has not"),
        (lambda root: images(root, count=1), "no training image is left of class"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(tmp_path, make, said):
    make(tmp_path / "images")
    choice = Choice("folder", {"path": "images"})
    with pytest.raises(UsageError) as raised:
        prepare.prepare(choice, tmp_path / "data", beside=tmp_path)
    assert said in str(raised.value)
    assert str(tmp_path / "images") in str(raised.value)
    assert not list((tmp_path / "data").glob("prepared/own-*"))


def test_a_broken_image_is_exit_2_and_named(tmp_path):
    _broken(tmp_path / "images")
    code, out, err = run({"folder": "images"}, tmp_path)
    assert (code, out) == (2, "")
    assert "broken.png" in err
    assert "empty.jpg" in err


def test_what_changed_is_prepared_again_and_what_did_not_is_not(tmp_path):
    images(tmp_path / "images")
    code, first, err = run({"folder": "images"}, tmp_path)
    assert (code, "20 images" in err) == (0, True)
    assert run({"folder": "images"}, tmp_path) == (0, first, "")
    paint(tmp_path / "images" / "cat" / "new.png", colour=(1, 1, 1))
    code, second, err = run({"folder": "images"}, tmp_path)
    assert (code, "21 images" in err) == (0, True)
    assert json.loads(second)["path"] != json.loads(first)["path"]


def test_processes_that_prepare_at_once_do_it_once(tmp_path):
    images(tmp_path / "images", count=150)
    processes = [start({"folder": "images"}, tmp_path) for _ in range(3)]
    ended = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len({out for out, _ in ended}) == 1
    assert sum("300 images" in err for _, err in ended) == 1


# ---------------------------------------------------------------- arrays


def arrays(count=40, shape=(8, 8), classes=4):
    pixels = RNG.integers(0, 256, (count, *shape)).astype(np.uint8)
    return {"train_images": pixels, "train_labels": np.arange(count) % classes}


@pytest.mark.parametrize(
    ("shape", "channels"), [((8, 8), 1), ((8, 8, 3), 3), ((3, 8, 8), 3), ((5, 8, 8), 5)]
)
def test_arrays_may_have_their_channels_first_last_or_not(tmp_path, shape, channels):
    given = arrays(shape=shape)
    np.savez(tmp_path / "d.npz", **given)
    answer = prepared("npz", tmp_path, "d.npz")
    assert (answer["classes"], answer["train"], answer["val"], answer["test"]) == (4, 28, 4, 8)
    pixels, labels = parts(answer)["train"]
    assert pixels.shape == (28, channels, 8, 8)
    truth = given["train_images"]
    truth = truth[:, None] if truth.ndim == 3 else truth
    truth = truth.transpose(0, 3, 1, 2) if shape == (8, 8, 3) else truth
    known = {
        image.tobytes(): label for image, label in zip(truth, given["train_labels"], strict=True)
    }
    assert all(known[image.tobytes()] == label for image, label in zip(pixels, labels, strict=True))


def test_parts_in_the_file_are_kept_and_keras_names_are_known(tmp_path):
    train, test = arrays(40), arrays(12)
    np.savez(
        tmp_path / "d.npz",
        x_train=train["train_images"],
        y_train=train["train_labels"][:, None].astype(np.uint8),
        x_test=test["train_images"],
        y_test=test["train_labels"],
        val_images=test["train_images"][:4],
        val_labels=test["train_labels"][:4],
    )
    answer = prepared("npz", tmp_path, "d.npz")
    assert (answer["train"], answer["val"], answer["test"]) == (40, 4, 12)
    assert np.array_equal(parts(answer)["test"][0][:, 0], test["train_images"])


def _changed(**changes):
    given = {**arrays(), **changes}
    return {key: value for key, value in given.items() if value is not None}


LABELS = np.arange(40) % 4


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (_changed(train_labels=None), "it has train_images and no train_labels"),
        ({"a": LABELS}, "it needs train_images and train_labels or images and labels"),
        (_changed(train_images=RNG.random((40, 8, 8))), "must be whole numbers from 0 to 255"),
        (_changed(train_images=np.full((40, 8, 8), 300)), "within 0..255 (found 300..300)"),
        (_changed(train_images=np.zeros((40, 8, 9), np.uint8)), "square images"),
        (_changed(train_images=np.zeros((40, 64), np.uint8)), "square images"),
        (_changed(train_labels=LABELS[:-1]), "one number for each of 40 images (found 39)"),
        (_changed(train_labels=LABELS - 1), "must be 0, 1, .. up to the number of classes"),
        (_changed(train_labels=LABELS + 1), "(found 1 to 4, without 0)"),
        (_changed(train_labels=LABELS * 10**9), "(found 0 to 3000000000)"),
        (_changed(train_labels=LABELS * 0), "two at least (found 0 to 0)"),
        (_changed(train_labels=LABELS + 0.5), "whole numbers, the classes from 0 (found float64)"),
        (_changed(train_labels=np.array([object()] * 40)), "an array of Python objects"),
        (
            _changed(test_images=np.zeros((2, 9, 9), np.uint8), test_labels=np.array([0, 1])),
            "the test images are 1x9x9, the training images 1x8x8",
        ),
        (
            _changed(val_images=np.zeros((2, 8, 8), np.uint8), val_labels=np.array([0, 7])),
            "the val labels must lie within 0..3",
        ),
        (
            _changed(test_images=np.zeros((0, 8, 8), np.uint8), test_labels=LABELS[:0]),
            "the test part has no image",
        ),
    ],
)
def test_what_is_wrong_with_arrays_is_said(tmp_path, content, said):
    np.savez(tmp_path / "d.npz", **content)
    with pytest.raises(UsageError) as raised:
        prepared("npz", tmp_path, "d.npz")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("damage", ["cut", "flip", "text", "npy"])
def test_a_damaged_npz_is_exit_2(tmp_path, damage):
    file = tmp_path / "d.npz"
    np.savez_compressed(file, **arrays())
    content = bytearray(file.read_bytes())
    if damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[600] ^= 255
        file.write_bytes(content)
    elif damage == "text":
        file.write_text("hello")
    else:
        np.save(file.open("wb"), np.zeros(3))
    code, out, err = run({"npz": {"path": "d.npz"}}, tmp_path)
    assert (code, out) == (2, "")
    assert str(file) in err
    assert err.count("\n") == 1


# ---------------------------------------------------------------- no room


def test_a_file_that_may_not_grow_is_exit_5_and_nothing_is_left(tmp_path):
    np.savez(tmp_path / "d.npz", **arrays(400, (16, 16)))
    code, out, err = run({"npz": "d.npz"}, tmp_path, largest_file=20_000)
    assert (code, out) == (5, "")
    assert "File too large" in err
    assert "the arrays take 0.1 MB" in err
    assert "data_dir" in err
    assert [path.suffix for path in (tmp_path / "data" / "prepared").iterdir()] == [".lock"]


def test_a_full_disk_is_exit_5_with_what_is_needed(tmp_path, small_disk):
    np.savez(tmp_path / "d.npz", **arrays(400, (16, 16)))
    code, out, err = run({"npz": "d.npz"}, tmp_path)
    assert (code, out) == (5, "")
    assert "the arrays take 0.1 MB" in err
    assert [path.suffix for path in (small_disk / "prepared").iterdir()] == [".lock"]


def test_more_images_than_the_memory_holds_are_refused_before_they_are_read(tmp_path, monkeypatch):
    images(tmp_path / "images")
    monkeypatch.setattr(custom_data, "_free_memory", lambda: 100_000)
    with pytest.raises(MemoryError, match=r"20 images take 0\.0 GB of memory"):
        prepared("folder", tmp_path, "images")


def test_free_memory_is_what_the_monitor_shows_as_free(tmp_path, monkeypatch):
    """The trainer imports nothing of the monitor's room and so has a reader of its own."""
    file = tmp_path / "meminfo"
    file.write_text("MemTotal: 4096 kB\nMemFree: 1 kB\nMemAvailable: 3072 kB\nHugePages_Total: 0\n")
    monkeypatch.setattr(custom_data, "Path", lambda _: file)
    monkeypatch.setattr(cpu, "open", lambda _, mode: file.open(mode), raising=False)
    used, total = cpu._memory_mib()
    assert custom_data._free_memory() == (total - used) << 20 == 3 << 20


# ---------------------------------------------------------------- in the experiment file


def experiment(line, beside=None):
    return parse(f"{line}\nlr = [1e-3]\n", "x.toml", beside)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('dataset = { folder = "images" }', '{"folder":{"path":"images"}}'),
        (
            'dataset = { folder = "images", size = 64, grey = true }',
            '{"folder":{"grey":true,"path":"images","size":64}}',
        ),
        ('dataset = { npz = { path = "d.npz" } }', '{"npz":{"path":"d.npz"}}'),
        ('dataset = { npz = "d.npz", val = 0.2 }', '{"npz":{"path":"d.npz","val":0.2}}'),
        ('dataset = "digits"', "digits"),
    ],
)
def test_the_files_table_reaches_the_preparation_in_one_spelling(line, text):
    assert experiment(line).dataset == text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('dataset = "folder"', 'dataset = { folder = "images" }'),
        ("dataset = { folder = { size = 8 } }", "path"),
        ("dataset = { folder = 3 }", "path of folder"),
        ('dataset = { folder = "a", size = 2 }', "at least 4"),
        ('dataset = { folder = "a", size = 8.5 }', "a whole number (found 8.5)"),
        ('dataset = { npz = "a", size = 8 }', "dataset npz has no option size"),
        ('dataset = { npz = "a", val = 0.6 }', "at most 0.5"),
        ('dataset = { npz = "a", folder = "b" }', "a table names one dataset"),
        ('dataset = { zip = "a" }', "unknown dataset zip"),
        ('dataset = ["digits"]', "dataset must be one data set"),
        ("dataset = 7", "dataset must be a name or a table"),
        (
            'dataset = "digits"\nbatch_size = 2000',
            "larger than the 1,000 training images of digits",
        ),
        (
            'dataset = "digits"\ndata = 0.05',
            "larger than the 50 training images of digits with data",
        ),
    ],
)
def test_a_wrong_table_is_a_fault_at_its_place(line, said):
    with pytest.raises(ExperimentError) as raised:
        experiment(line)
    (fault,) = raised.value.faults
    assert said in f"{fault.what} {fault.hint}"
    assert fault.line


def test_own_data_are_looked_for_beside_the_file_but_not_by_a_frozen_copy(tmp_path):
    line = 'dataset = { folder = "images" }'
    with pytest.raises(ExperimentError, match="no such folder"):
        experiment(line, tmp_path)
    (tmp_path / "images").mkdir()
    assert experiment(line, tmp_path) == experiment(line)
    with pytest.raises(ExperimentError, match="no such file"):
        experiment('dataset = { npz = "images" }\n[study]\nmodel = ["mlp"]', tmp_path / "images")
