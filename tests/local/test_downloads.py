"""What is downloaded is what was pinned, is there whole or not at all, and is fetched once."""

import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from local import cache
from local.downloads import ensure
from local.errors import LocalError
from local.jars import Jar, kafka_jars
from local.wheels import REDIS_SERVER, Wheel
from tests.processes import REPOSITORY


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a cache folder of the test's own, with what this machine has already: copies, so that it may be damaged."""
    ensure([*kafka_jars(), REDIS_SERVER])
    shared = cache.folder()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    own = cache.folder()
    shutil.copytree(shared / "kafka-jars", own / "kafka-jars")
    for path in shared.glob(f"{REDIS_SERVER.name}-*"):
        (shutil.copytree if path.is_dir() else shutil.copy2)(path, own / path.name)
    return own


def test_a_truncated_jar_is_noticed_and_it_alone_is_fetched_again(own_cache: Path) -> None:
    jars = kafka_jars()
    damaged = min(jars, key=lambda jar: jar.path.stat().st_size)
    before = {jar: jar.path.stat().st_mtime_ns for jar in jars}
    os.truncate(damaged.path, 1000)
    screen = StringIO()
    ensure(jars, Console(file=screen))
    assert cache.sha256(damaged.path) == damaged.sha256
    assert {jar for jar in jars if jar.path.stat().st_mtime_ns != before[jar]} == {damaged}
    assert " 1/1 " in screen.getvalue()


def test_a_changed_file_of_an_unpacked_wheel_is_unpacked_anew(own_cache: Path) -> None:
    program = REDIS_SERVER.unpacked / "redis-server"
    content = program.read_bytes()
    program.write_bytes(content[:1000] + b"x" + content[1001:])
    ensure([REDIS_SERVER])
    assert program.read_bytes() == content
    assert os.access(program, os.X_OK)


def test_with_everything_there_no_network_is_needed() -> None:
    nowhere = "http://127.0.0.1:9"
    offline = {**os.environ, "HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere, "https_proxy": nowhere}
    fetch = [sys.executable, "-m", "local", "fetch"]
    subprocess.run(fetch, cwd=REPOSITORY, check=True)
    subprocess.run(fetch, cwd=REPOSITORY, check=True, env=offline, timeout=30)


def test_a_jar_that_is_not_the_pinned_one_is_refused_and_not_kept(own_cache: Path) -> None:
    smallest = min(kafka_jars(), key=lambda jar: jar.path.stat().st_size)
    wrong = Jar(smallest.coordinate, "wrong.jar", "0" * 64)
    with pytest.raises(LocalError, match="its sha256 is not the pinned one"):
        ensure([wrong])
    assert not wrong.path.exists()


def test_a_wheel_that_can_not_be_downloaded_is_reported_with_what_pip_said(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = own_cache / "nothing.txt"
    pin.write_text(f"no-such-package-of-ours==1 --hash=sha256:{'0' * 64}\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(Wheel, "pin", pin)
    with pytest.raises(LocalError, match="No matching distribution found for no-such-package-of-ours"):
        ensure([Wheel("nothing", "nothing/")])


@dataclass(frozen=True)
class Slow:
    """A download that takes its time and counts how often it was asked for."""

    folder: Path

    def present(self) -> bool:
        return (self.folder / "file").exists()

    def fetch(self, staging: Path) -> None:
        with (self.folder / "fetched").open("a") as log:
            log.write("once\n")
        time.sleep(0.2)  # the other one arrives meanwhile
        (staging / "file").write_text("whole")
        (staging / "file").rename(self.folder / "file")


def test_two_that_need_the_same_at_once_fetch_it_once(own_cache: Path, tmp_path: Path) -> None:
    download = Slow(tmp_path)
    both = [threading.Thread(target=ensure, args=([download], Console(file=StringIO()))) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert (tmp_path / "fetched").read_text() == "once\n"


def test_what_a_killed_download_left_is_cleared_away(own_cache: Path, tmp_path: Path) -> None:
    left = own_cache / "staging-of-a-killed-process"
    left.mkdir()
    ensure([Slow(tmp_path)], Console(file=StringIO()))
    assert not left.exists()
    assert [path.name for path in own_cache.glob("staging-*")] == []
