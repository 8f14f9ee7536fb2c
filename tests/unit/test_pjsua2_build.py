"""The capacity build's pure parts: what it needs, where the source comes from, its commands, its wheel."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename
from packaging.version import Version

from sip_config.pjsua2 import build

pytestmark = [pytest.mark.unit]

TARGETS = """\
Debian|Debian-Security|http://mirror.test/debian-security
Elsewhere|Node|http://node.test/apt
Debian|Debian|http://mirror.test/debian
Debian|Debian|http://second.test/debian
"""
VERSION_MAK = """\
# Don't change the "export PJ_VERSION_xxx" style, they are parsed by setup.py
export PJ_VERSION_MAJOR  := 2
export PJ_VERSION_MINOR  := {minor}
export PJ_VERSION_REV    := {rev}
export PJ_VERSION_SUFFIX := {suffix}

export PJ_VERSION := $(PJ_VERSION_MAJOR).$(PJ_VERSION_MINOR)
"""


def test_every_missing_package_is_named_once_and_in_order() -> None:
    everything = build.missing_packages(set(), set())
    assert everything[:2] == ["build-essential", "swig"]
    assert len(everything) == len(set(everything))
    headers = set(build.HEADERS) - {"opus/opus.h"}
    assert build.missing_packages(set(build.PROGRAMS), headers) == ["libopus-dev"]
    assert build.missing_packages(set(build.PROGRAMS), set(build.HEADERS)) == []


def test_what_is_missing_is_one_line_with_the_command_that_helps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build.main(["--work", str(tmp_path / "work"), "--out", str(tmp_path / "dist")]) == 1
    error = capsys.readouterr().err
    assert "apt-get install --no-install-recommends build-essential swig libssl-dev" in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == [], "nothing is begun"


def test_the_mirror_is_the_machines_own() -> None:
    assert build.debian_site(TARGETS) == "http://mirror.test/debian"
    with pytest.raises(build.BuildError, match="apt-get update"):
        build.debian_site("$(ORIGIN)|$(LABEL)|http://mirror.test/debian\n")
    assert "URIs: http://mirror.test/debian\n" in build.sources_entry("http://mirror.test/debian")


def test_apt_writes_nothing_outside_the_scratch_folder() -> None:
    command = build.apt_command(Path("/scratch/apt"))
    settings = dict(word.split("=", 1) for word in command if "=" in word)
    assert {key for key in settings if key.startswith("Dir::")} >= {"Dir::State::Lists", "Dir::Cache"}
    places = [value for key, value in settings.items() if key.startswith("Dir::")]
    assert all(value.startswith("/scratch/apt/") or value == "/dev/null" for value in places)


def test_a_tarball_is_taken_only_with_the_checksum_it_was_said_to_have(tmp_path: Path) -> None:
    tarball = tmp_path / "pjproject.tar.gz"
    tarball.write_bytes(b"source")
    right = hashlib.sha256(b"source").hexdigest()
    assert build.fetch(str(tarball), "", right.upper(), tmp_path) == tarball
    assert build.fetch(str(tarball), "", "", tmp_path) == tarball
    with pytest.raises(build.BuildError, match="SHA-256"):
        build.fetch(str(tarball), "", "0" * 64, tmp_path)


def test_a_source_that_is_none_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(build.BuildError, match="debian, upstream or a tarball"):
        build.fetch(str(tmp_path / "absent.tar.gz"), "", "", tmp_path)
    with pytest.raises(build.BuildError, match="--sha256"):
        build.fetch("upstream", "1.0", "", tmp_path)


def test_a_failing_command_tells_the_last_that_it_said(tmp_path: Path) -> None:
    script = "import sys; print('much'); print('at length'); sys.exit('the cause')"
    with pytest.raises(build.BuildError, match="the cause"):
        build.run([sys.executable, "-c", script], tmp_path)


def test_pjprojects_own_libraries_go_in_whole_and_the_others_after_them() -> None:
    command = build.link_command(["-L/here"], ["pjsua2", "stdc++", "pjsua", "srtp2", "pj", "ssl"])
    start, end = command.index("-Wl,--whole-archive"), command.index("-Wl,--no-whole-archive")
    assert command[start + 1 : end] == ["-lpjsua2", "-lpjsua", "-lpj"]
    assert command[end + 1 :] == ["-lstdc++", "-lsrtp2", "-lssl"]
    assert command.index("-L/here") < start


@pytest.mark.parametrize(
    ("minor", "rev", "suffix", "expected"),
    [
        ("17", "", "", "2.17+capacity"),
        ("15", "1", "", "2.15.1+capacity"),
        ("18", "", "-dev", "2.18+capacity.dev"),
    ],
)
def test_the_version_tells_the_build_from_the_published_one(
    minor: str, rev: str, suffix: str, expected: str
) -> None:
    version = build.wheel_version(VERSION_MAK.format(minor=minor, rev=rev, suffix=suffix))
    assert version == expected
    assert Version(version).local is not None, "pip reads it as a version with a local label"


def test_the_limits_are_for_hundreds_of_calls() -> None:
    limits = (build.HERE / "config_site.h").read_text(encoding="utf-8")
    assert build.call_limit(limits) >= 500
    with pytest.raises(build.BuildError):
        build.call_limit("")


@pytest.mark.skipif(sys.platform != "linux", reason="the build is for Linux")
def test_the_header_probe_finds_what_the_compiler_finds() -> None:
    command = ["g++", "-E", "-P", "-x", "c++", "-"]
    try:
        done = subprocess.run(
            command,
            input=build.header_probe({"vector": "", "no/such.h": ""}),
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError:
        pytest.skip("no g++ here (package build-essential)")
    assert done.stdout.split() == ['"vector"']


def test_the_wheel_is_one_that_pip_takes_in_place_of_the_published(tmp_path: Path) -> None:
    package = tmp_path / "package" / "pjsua2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(build.INIT, encoding="utf-8")
    (package / "_pjsua2.cpython-311-x86_64-linux-gnu.so").write_bytes(b"\x7fELF")
    (tmp_path / "COPYING").write_text("licence", encoding="utf-8")
    wheel = build.pack(package, "2.17+capacity", tmp_path / "COPYING", tmp_path / "dist")
    name, version, _, tags = parse_wheel_filename(wheel.name)
    assert (name, str(version)) == ("pjsua2-python", "2.17+capacity")
    if sys.platform == "linux":
        assert tags & set(sys_tags()), "for the Python that built it"
    with zipfile.ZipFile(wheel) as archive:
        contents = {entry: archive.read(entry) for entry in archive.namelist()}
        library = archive.getinfo("pjsua2/_pjsua2.cpython-311-x86_64-linux-gnu.so")
    assert library.external_attr >> 16 & 0o111, "a shared library can be executed"
    info = "pjsua2_python-2.17+capacity.dist-info"
    assert b"Name: pjsua2-python\nVersion: 2.17+capacity\n" in contents[f"{info}/METADATA"]
    assert contents[f"{info}/licenses/COPYING"] == b"licence"
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(contents[f"{info}/RECORD"].decode()))}
    assert rows.keys() == contents.keys()
    assert rows.pop(f"{info}/RECORD") == ["", ""]
    for entry, (digest, size) in rows.items():
        algorithm, _, value = digest.partition("=")
        assert algorithm == "sha256"
        padded = value + "=" * (-len(value) % 4)
        assert base64.urlsafe_b64decode(padded) == hashlib.sha256(contents[entry]).digest()
        assert int(size) == len(contents[entry])
