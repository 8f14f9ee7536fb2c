"""A PostgreSQL server of the tests' own, on a loopback port, with nothing durable about it."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_NUMBERS = itertools.count()
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "32MB"}


def _programs() -> Path:
    found = shutil.which("initdb")
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found and not newest:
        pytest.skip("PostgreSQL is not installed (Debian package postgresql)")
    return Path(found).parent if found else newest[-1].parent


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a running server, without a database name; skips where the program or its driver lacks."""
    pytest.importorskip("psycopg", reason="psycopg is not installed (the extra postgres)")
    programs = _programs()
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="hotline-postgres-") as folder:
        Path(folder).chmod(0o755)
        data = Path(folder) / "data"
        data.mkdir()
        if user:
            shutil.chown(data, user)
        make = [str(programs / "initdb"), "-D", str(data), "-U", "hotline", "-A", "trust", "-E", "UTF8"]
        subprocess.run([*make, "--no-sync"], check=True, capture_output=True, user=user, cwd="/", timeout=100)
        options = [f"-c{key}={value}" for key, value in _FAST.items()]
        where = ["-h", "127.0.0.1", "-p", str(port), "-k", ""]
        server = subprocess.Popen(
            [str(programs / "postgres"), "-D", str(data), *where, *options],
            user=user,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            _wait_until_ready(server)
            yield f"postgresql://hotline@127.0.0.1:{port}"
        finally:
            server.terminate()
            server.communicate(timeout=30)


def _wait_until_ready(server: subprocess.Popen[str]) -> None:
    assert server.stderr is not None
    said = []
    for line in server.stderr:
        said.append(line)
        if "ready to accept connections" in line:
            return
    raise AssertionError(f"PostgreSQL did not start: {''.join(said)}")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server for the tests of one module: its URL, without a database."""
    with postgres_server() as url:
        yield url


@pytest.fixture
def url(server: str) -> str:
    """A new database on the server."""
    import psycopg

    name = f"hotline_{next(_NUMBERS)}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type,unused-ignore]
    return f"{server}/{name}"
