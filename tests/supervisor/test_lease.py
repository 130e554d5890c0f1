"""Who owns a directory on a file system that several hosts see."""

import dataclasses
import threading

import pytest

from lrtui.supervisor import lease
from tests.until import PATIENCE_SECONDS, until


@pytest.fixture
def hosts(tmp_path, monkeypatch):
    """Call it with a host's name to act there from now on."""
    monkeypatch.setattr(lease, "TIMING", dataclasses.replace(lease.TIMING, lease=0.2, beat=1e-9))
    here = threading.local()
    monkeypatch.setattr(lease, "boot_id", lambda: here.name)
    monkeypatch.setattr(lease.socket, "gethostname", lambda: here.name)

    def act(name):
        here.name = name
        return tmp_path / "lease"

    return act


def test_an_owner_that_lives_keeps_it(hosts, monkeypatch):
    folder = hosts("login1")
    patient = dataclasses.replace(lease.TIMING, lease=PATIENCE_SECONDS)
    monkeypatch.setattr(lease, "TIMING", patient)
    owner = lease.take(folder)
    ended, found = threading.Event(), []

    def contend():
        hosts("login2")
        found.append(lease.take(folder))
        ended.set()

    threading.Thread(target=contend, daemon=True).start()
    until(lambda: owner.renew() and ended.is_set(), every=0.001)
    assert found == [None]


def test_an_owner_that_is_silent_loses_it(hosts):
    first = lease.take(hosts("login1"))
    second = lease.take(hosts("login2"))
    assert second.renew()
    hosts("login1")
    assert not first.renew()
    assert not first.release()
    hosts("login2")
    assert second.renew()


def test_a_released_or_crashed_owner_of_this_host_is_succeeded_at_once(hosts, monkeypatch):
    monkeypatch.setattr(lease, "TIMING", dataclasses.replace(lease.TIMING, lease=1e9))
    folder = hosts("login1")
    lease.take(folder)
    assert lease.take(folder).release()  # the first one was killed: the caller holds the flock
    assert lease.take(hosts("login2")).renew()


def test_one_of_many_contenders_wins(hosts):
    lease.take(hosts("gone"))
    won, done = [], []

    def contend(name):
        if (held := lease.take(hosts(name))) is not None:
            won.append(held)
        done.append(name)

    for name in ("a", "b", "c", "d"):
        threading.Thread(target=contend, args=(name,), daemon=True).start()
    until(lambda: won and len(won) + len(done) >= 2)
    hosts("a")
    until(lambda: [each.renew() for each in list(won)] and len(done) == 4, every=0.001)
    assert sum(each.renew() for each in won) == 1


def test_a_damaged_lease_is_one_that_is_silent(hosts):
    folder = hosts("login1")
    folder.mkdir()
    (folder / "7").write_bytes(b"\0{")
    (folder / "x").touch()
    assert lease.take(folder).renew()
    assert (folder / "8").exists()


def test_who_lives_elsewhere_is_known_without_its_clock(hosts, monkeypatch):
    folder = hosts("login1")
    assert (lease.host(folder), lease.lives(folder)) == ("", False)
    owner = lease.take(folder)
    assert not lease.lives(folder)  # an owner on this host holds its lock
    hosts("login2")
    assert not lease.lives(folder)  # it stands still
    renewed = []
    monkeypatch.setattr(lease.time, "sleep", lambda _: renewed.append(owner.renew()))
    monkeypatch.setattr(lease, "TIMING", dataclasses.replace(lease.TIMING, beat=PATIENCE_SECONDS))
    owner._renewed_at = -1e9
    assert (lease.host(folder), lease.lives(folder)) == ("login1", True)
    owner.release()
    assert (lease.host(folder), lease.lives(folder)) == ("", False)
