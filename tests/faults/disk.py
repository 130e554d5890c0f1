"""A small disk of its own: an ext4 image in a loop mount, which can be filled, made read-only and cut off."""

import fcntl
import os
import struct
import subprocess
from pathlib import Path

import pytest

from tests.until import until

SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN: the file system is gone at once, as in a power cut."""
NO_FLUSH = 2


class Disk:
    """An ext4 file system of `mib` MiB; the image is sparse, so a full disk costs nothing."""

    def __init__(self, folder: Path, mib: int) -> None:
        self.image, self.place = folder / "disk.img", folder / "disk"
        self.place.mkdir()
        with self.image.open("wb") as file:
            file.truncate(mib << 20)
        self.mounted = False
        self._run("mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", str(self.image))
        self.mount()

    def mount(self, options: str = "loop") -> None:
        self._run("mount", "-o", options, str(self.image), str(self.place))
        self.mounted = True

    def unmount(self) -> None:
        """Let go of the disk when nobody has a file open on it any more."""
        if self.mounted:
            words = ["umount", str(self.place)]
            until(lambda: not subprocess.run(words, check=False, capture_output=True).returncode)
            self.mounted = False

    def fill(self, but: int = 0) -> None:
        """Leave no more than `but` bytes."""
        with (self.place / "ballast").open("ab") as file:
            size, step = file.tell(), 64 << 20
            while step >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), size, step)
                    size += step
                except OSError:
                    step //= 2
            if but:
                file.truncate(max(0, size - but))

    def empty(self) -> None:
        (self.place / "ballast").unlink()

    def cut_power(self) -> None:
        """Lose whatever was not flushed, as ext4's own tests do."""
        fd = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", NO_FLUSH))
        finally:
            os.close(fd)

    @staticmethod
    def _run(*words: str) -> None:
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip(f"needs {words[0]}")
        if done.returncode:
            pytest.skip(f"needs to make and mount a file system: {done.stderr.strip()[:200]}")


@pytest.fixture
def disk(tmp_path):
    made = Disk(tmp_path, 700)
    yield made
    made.unmount()
