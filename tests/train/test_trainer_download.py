"""A download says how far it is, goes on where it was cut off, and counts only with its checksum.

A server on the loopback interface serves archives in the formats of CIFAR-100 and MNIST, written here; torchvision's
own code reads them.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from lrtui.train import prepare, prepared_arrays
from lrtui.train.datasets import download, vision
from tests.train.test_trainer_prepare import _cifar100_archive, _idx


class Server:
    """Serves the files of a folder; how badly is said by its attributes."""

    def __init__(self, folder):
        self.folder, self.asked = folder, []
        self.cut_after = None
        """Close each connection after so many bytes; None: never."""
        self.resumes = True
        self.status = 200
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                owner._answer(self)

            def log_message(self, *args):
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def _answer(self, handler):
        name, span = handler.path[1:], handler.headers.get("Range")
        self.asked.append((name, span))
        if self.status != 200:
            handler.send_error(self.status)
            return
        body = (self.folder / name).read_bytes()
        start = int(span.removeprefix("bytes=").rstrip("-")) if span and self.resumes else 0
        if start >= len(body):
            handler.send_error(416)
            return
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        part = body[start:] if self.cut_after is None else body[start : start + self.cut_after]
        with contextlib.suppress(OSError):  # the probe looks at the status and goes
            handler.wfile.write(part)
        handler.close_connection = True

    def close(self):
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(vision, "CONNECT_SECONDS", 5.0)
    served = tmp_path / "served"
    served.mkdir()
    made = Server(served)
    yield made
    made.close()


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    return folder, *_cifar100_archive(folder)


@pytest.fixture
def cifar100(server, archive, monkeypatch):
    """The archive on the server, and torchvision's addresses and checksums pointed at it."""
    from torchvision import datasets

    folder, md5, archive_md5, truth = archive
    shutil.copy(folder / "cifar-100-python.tar.gz", server.folder)
    kind = datasets.CIFAR100
    monkeypatch.setattr(kind, "url", server.url + kind.filename)
    monkeypatch.setattr(kind, "tgz_md5", archive_md5)
    monkeypatch.setattr(kind, "train_list", [["train", md5["train"]]])
    monkeypatch.setattr(kind, "test_list", [["test", md5["test"]]])
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": md5["meta"]})
    return truth


def main(dataset, folder):
    return prepare.main([f"--dataset={dataset}", f"--data-dir={folder}"])


def test_cifar100_is_downloaded_and_read_although_the_connection_is_cut(
    server, cifar100, tmp_path, capfd
):
    total = (server.folder / "cifar-100-python.tar.gz").stat().st_size
    server.cut_after = total // 3 - 1
    assert main("cifar100", tmp_path / "data") == 0
    out, err = capfd.readouterr()
    images, labels = prepared_arrays.open_part(Path(json.loads(out)["path"]), "test")
    assert np.array_equal(images, cifar100["test"][0])
    assert np.array_equal(labels, cifar100["test"][1])
    spans = [span for _, span in server.asked]
    assert spans == [None, None, *(f"bytes={part * server.cut_after}-" for part in (1, 2, 3))]
    assert "the connection was cut at" in err
    assert f"of {total / 1e6:,.1f} MB (33%)" in err
    assert "(100%)" in err
    assert not list((tmp_path / "data").glob("*.part"))


def test_a_later_preparation_goes_on_with_what_an_earlier_one_left(server, cifar100, tmp_path):
    archive = server.folder / "cifar-100-python.tar.gz"
    data = tmp_path / "data"
    data.mkdir()
    (data / "cifar-100-python.tar.gz.part").write_bytes(archive.read_bytes()[:1000])
    assert main("cifar100", data) == 0
    assert server.asked[-1] == (archive.name, "bytes=1000-")


@pytest.mark.parametrize("left", ["another", "more"])
def test_a_part_of_another_file_is_thrown_away(server, cifar100, tmp_path, left):
    archive = server.folder / "cifar-100-python.tar.gz"
    data = tmp_path / "data"
    data.mkdir()
    content = bytes(1000) if left == "another" else archive.read_bytes() + bytes(1000)
    (data / "cifar-100-python.tar.gz.part").write_bytes(content)
    assert main("cifar100", data) == 0
    assert [span for _, span in server.asked][-1] is None


def test_a_server_that_does_not_resume_sends_it_all_again(server, cifar100, tmp_path):
    server.resumes = False
    data = tmp_path / "data"
    data.mkdir()
    (data / "cifar-100-python.tar.gz.part").write_bytes(b"x" * 1000)
    assert main("cifar100", data) == 0


def test_a_wrong_checksum_is_exit_5_and_nothing_is_unpickled(server, cifar100, tmp_path, capfd):
    archive = server.folder / "cifar-100-python.tar.gz"
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    assert main("cifar100", tmp_path / "data") == 5
    _, err = capfd.readouterr()
    assert f"has md5 {hashlib.md5(content).hexdigest()} instead of" in err
    assert "put the original here" in err
    assert "--dataset synthetic" in err
    assert "Traceback" not in err
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["prepared"]


def test_a_server_that_has_it_no_more_is_exit_5(server, cifar100, tmp_path, capfd):
    server.status = 404
    assert main("cifar100", tmp_path / "data") == 5
    _, err = capfd.readouterr()
    assert "does not answer (HTTP Error 404: Not Found)" in err
    assert "cifar-100-python.tar.gz   md5" in err


def test_a_connection_that_brings_nothing_is_given_up(server, cifar100, tmp_path, capfd):
    server.cut_after = 0
    assert main("cifar100", tmp_path / "data") == 5
    _, err = capfd.readouterr()
    assert "the connection was cut" in err
    assert len(server.asked) == 1 + download.ATTEMPTS


@pytest.fixture
def mnist(server, monkeypatch):
    from torchvision import datasets

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12_000, 28, 28)).astype(np.uint8)
    labels = (np.arange(12_000) % 10).astype(np.uint8)
    resources = []
    for name, array in {
        "train-images-idx3-ubyte.gz": images,
        "train-labels-idx1-ubyte.gz": labels,
        "t10k-images-idx3-ubyte.gz": images[:100],
        "t10k-labels-idx1-ubyte.gz": labels[:100],
    }.items():
        content = gzip.compress(_idx(array), compresslevel=1)
        (server.folder / name).write_bytes(content)
        resources.append((name, hashlib.md5(content).hexdigest()))
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:9/", server.url])
    monkeypatch.setattr(datasets.MNIST, "resources", resources)
    return images, labels


def test_mnist_comes_from_the_mirror_that_answers(server, mnist, tmp_path):
    answer = prepare.prepare("mnist", tmp_path / "data")
    images, labels = prepared_arrays.open_part(Path(answer["path"]), "test")
    assert np.array_equal(images[:, 0], mnist[0][:100])
    assert np.array_equal(labels, mnist[1][:100])


@pytest.mark.parametrize("damage", ["cut", "empty", "magic"])
def test_a_damaged_unpacked_file_is_unpacked_again(server, mnist, tmp_path, damage):
    data = tmp_path / "data"
    first = prepare.prepare("mnist", data)
    asked = len(server.asked)
    file = data / "MNIST" / "raw" / "train-images-idx3-ubyte"
    content = file.read_bytes()
    file.write_bytes({"cut": content[:5000], "empty": b"", "magic": b"\xff" * 50}[damage])
    assert prepare.prepare("mnist", data, force=True) == first
    assert len(server.asked) == asked
    assert file.read_bytes() == content


def test_a_full_disk_in_mid_download_is_said_as_such(server, cifar100, small_disk, capfd):
    assert main("cifar100", small_disk) == 5
    _, err = capfd.readouterr()
    assert "No space left on device" in err
    assert "make room there" in err
