"""Builds pjsua2 from pjproject's source, with the limits in config_site.h, as a wheel.

Needs Linux, a C++ compiler, SWIG and a few Debian packages; what is missing is named in one line. Uses the
standard library only, and builds for the Python that runs it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import urllib.request
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAME = "pjsua2_python"  # as the published wheel, so that pip replaces it
SUITE = "sid"
UPSTREAM = "https://github.com/pjsip/pjproject/archive/refs/tags/{version}.tar.gz"
UPSTREAM_VERSION = "2.17"
UPSTREAM_SHA256 = "065fe06c06788d97c35f563796d59f00ce52fe9558a52d7b490a042a966facce"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
OPTIMISE = (
    "-O2 -fPIC -DNDEBUG"  # NDEBUG: a failed assertion is an error for its caller, not the end of the process
)

# Debian's source has no third-party folders: what lives there comes from Debian's libraries, or is left out.
CONFIGURE = (
    *("--enable-epoll", "--with-external-srtp", "--with-external-speex", "--with-external-gsm"),
    *("--enable-speex-resample", "--disable-sound", "--disable-video", "--disable-speex-aec"),
    *("--disable-libwebrtc", "--disable-libyuv", "--disable-ffmpeg", "--disable-v4l2", "--disable-openh264"),
    *("--disable-vpx", "--disable-sdl", "--disable-upnp", "--disable-opencore-amr", "--disable-silk"),
    *(
        "--disable-bcg729",
        "--disable-lyra",
        "--disable-ilbc-codec",
        "--disable-g7221-codec",
        "--disable-libuuid",
    ),
)
PATCHES = (
    # An object of Windows, whose folder Debian's source lacks.
    ("pjmedia/build/Makefile", " bdimad_dev.o", ""),
    # Since 2.16 every call would offer real-time text beside its audio, which trunks do not expect.
    ("pjsip/src/pjsua-lib/pjsua_call.c", "opt->txt_cnt = 1;", "opt->txt_cnt = 0;"),
)
PROGRAMS = {"make": "build-essential", "gcc": "build-essential", "g++": "build-essential", "swig": "swig"}
HEADERS = {
    "openssl/ssl.h": "libssl-dev",
    "srtp2/srtp.h": "libsrtp2-dev",
    "speex/speex.h": "libspeex-dev",
    "speex/speex_resampler.h": "libspeexdsp-dev",
    "gsm/gsm.h": "libgsm1-dev",
    "opus/opus.h": "libopus-dev",
    "Python.h": f"python{sys.version_info.major}.{sys.version_info.minor}-dev",
}
INIT = '''"""pjsua2, the capacity build."""

from ._version import __version__
from .pjsua2 import *
'''
SMOKE = """
import ctypes, sys
import pjsua2 as pj
from pjsua2 import _pjsua2
library = ctypes.CDLL(_pjsua2.__file__)
library.pj_log_set_level(0)
for name in ("pjsip_endpt_register_module", "pjsip_endpt_respond_stateless", "pjsip_msg_print"):
    getattr(library, name)
endpoint = pj.Endpoint()
endpoint.libCreate()
config = pj.EpConfig()
config.logConfig.level = config.logConfig.consoleLevel = 0
endpoint.libInit(config)
codecs = {codec.codecId.split("/")[0].upper() for codec in endpoint.codecEnum2()}
missing = {"PCMA", "PCMU", "G722", "OPUS"} - codecs
assert not missing, f"codecs missing: {missing}"
assert not getattr(pj.CallOpParam(True).opt, "textCount", 0), "calls would offer text"
endpoint.transportCreate(pj.PJSIP_TRANSPORT_TLS, pj.TransportConfig())
print(endpoint.libVersion().full, library.pjsua_call_get_max_count())
endpoint.libDestroy()
"""


class BuildError(Exception):
    """One line that says what stands in the way of the build and what would help."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="sip_config.pjsua2.build", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "--source", default="debian", help="debian (default), upstream or a tarball of pjproject"
    )
    parser.add_argument("--sha256", default="", help="what the upstream release or the tarball must hash to")
    parser.add_argument("--version", default=UPSTREAM_VERSION, help="upstream release (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("dist"), help="folder of the wheel (default: dist)")
    parser.add_argument("--work", type=Path, default=Path("build"), help="where its scratch folder may be")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        wheel = build(
            options.source, options.version, options.sha256, options.work.resolve() / "pjsua2", options.out
        )
    except BuildError as error:
        sys.stderr.write(f"cannot build pjsua2: {error}\n")
        return 1
    sys.stdout.write(f"{wheel} ({time.monotonic() - started:.0f} s)\n")
    return 0


def build(source: str, version: str, sha256: str, work: Path, out: Path) -> Path:
    """Fetch, compile, try and pack; returns the wheel. Raises BuildError."""
    if not sys.platform.startswith("linux"):
        raise BuildError(
            "the capacity build is for Linux; elsewhere use the published wheel of pjsua2-python"
        )
    check_packages()
    shutil.rmtree(work, ignore_errors=True)
    (work / "root").mkdir(parents=True)
    root, package = work / "root", work / "package" / "pjsua2"
    tarball = fetch(source, version, sha256, work)
    run(["tar", "--extract", "--strip-components=1", "--file", str(tarball), "--directory", str(root)], work)
    compile_module(root, work)
    stage(root, package)
    found = run([sys.executable, "-c", SMOKE], work, env={"PYTHONPATH": str(package.parent)}).split()
    expected = call_limit((HERE / "config_site.h").read_text(encoding="utf-8"))
    if found[-1] != str(expected):
        raise BuildError(f"the module allows {found[-1]} legs, config_site.h asks for {expected}")
    sys.stdout.write(f"pjsua2 {found[0]}: {expected} legs\n")
    version = wheel_version((root / "version.mak").read_text(encoding="utf-8"))
    wheel = pack(package, version, root / "COPYING", out)
    shutil.rmtree(work)
    return wheel


# what the build needs


def check_packages() -> None:
    """Raises BuildError naming every Debian package that is missing, with the command that installs them."""
    programs = {name for name in PROGRAMS if shutil.which(name)}
    headers: set[str] = set()
    if "g++" in programs:
        command = ["g++", "-E", "-P", f"-I{sysconfig.get_paths()['include']}", "-x", "c++", "-"]
        probe = subprocess.run(
            command, input=header_probe(HEADERS), capture_output=True, text=True, check=False
        )
        headers = set(re.findall(r'"(.+)"', probe.stdout))
    missing = missing_packages(programs, headers)
    if missing:
        names = " ".join(missing)
        raise BuildError(f"packages are missing; on Debian: apt-get install --no-install-recommends {names}")


def header_probe(headers: Mapping[str, str]) -> str:
    """C++ text that the preprocessor turns into the quoted names of those headers that it can find."""
    return "".join(f'#if __has_include(<{header}>)\n"{header}"\n#endif\n' for header in headers)


def missing_packages(programs: set[str], headers: set[str]) -> list[str]:
    """The Debian packages of what was not found, each once."""
    wanted = [package for name, package in PROGRAMS.items() if name not in programs]
    wanted += [package for name, package in HEADERS.items() if name not in headers]
    return list(dict.fromkeys(wanted))


# where the source comes from


def fetch(source: str, version: str, sha256: str, work: Path) -> Path:
    """The tarball of pjproject, checked: Debian's by apt, the others by their SHA-256."""
    if source == "debian":
        return fetch_debian(work)
    if source == "upstream":
        expected = sha256 or (UPSTREAM_SHA256 if version == UPSTREAM_VERSION else "")
        if not expected:
            raise BuildError(f"the checksum of pjproject {version} is not known here; give it with --sha256")
        tarball = work / f"pjproject-{version}.tar.gz"
        url = UPSTREAM.format(version=version)
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                tarball.write_bytes(answer.read())
        except OSError as error:
            raise BuildError(f"cannot fetch {url} ({error}); give a tarball with --source FILE") from error
        check_sha256(tarball, expected)
        return tarball
    tarball = Path(source).resolve()
    if not tarball.is_file():
        raise BuildError(f"--source must be debian, upstream or a tarball; there is no file {source}")
    if sha256:
        check_sha256(tarball, sha256)
    return tarball


def check_sha256(file: Path, expected: str) -> None:
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != expected.lower():
        raise BuildError(f"{file.name} has SHA-256 {found}, not {expected}")


def fetch_debian(work: Path) -> Path:
    """pjproject as Debian's asterisk carries it. apt keeps its state in `work`, so this needs no root."""
    if not shutil.which("apt-get"):
        raise BuildError("no apt-get here; use --source upstream or --source FILE")
    site = debian_site(run(["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(SITE)"], work))
    apt = work / "apt"
    for folder in ("sources", "lists/partial", "cache/archives/partial", "download"):
        (apt / folder).mkdir(parents=True)
    (apt / "sources" / "debian.sources").write_text(sources_entry(site), encoding="utf-8")
    run([*apt_command(apt), "update"], work)
    run([*apt_command(apt), "source", "--download-only", "asterisk"], apt / "download")
    found = sorted((apt / "download").glob("asterisk_*.orig-Xpjproject.tar.*"))
    if not found:
        raise BuildError(
            "Debian's asterisk no longer carries pjproject; use --source upstream or --source FILE"
        )
    return found[0]


def debian_site(index_targets: str) -> str:
    """The Debian mirror that this machine uses, from `apt-get indextargets` lines of "origin|label|site"."""
    for line in index_targets.splitlines():
        origin, _, rest = line.partition("|")
        label, _, site = rest.partition("|")
        if (origin, label) == ("Debian", "Debian"):
            return site
    raise BuildError(
        "apt knows no Debian mirror: run apt-get update, or use --source upstream or --source FILE"
    )


def sources_entry(site: str) -> str:
    return f"Types: deb-src\nURIs: {site}\nSuites: {SUITE}\nComponents: main\nSigned-By: {KEYRING}\n"


def apt_command(apt: Path) -> list[str]:
    """apt-get with its own source list and state; the machine's proxies and credentials stay in force."""
    places = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": str(apt / "sources"),
        "Dir::State::Lists": str(apt / "lists"),
        "Dir::Cache": str(apt / "cache"),
        "APT::Sandbox::User": "root",
    }
    return [
        "apt-get",
        "--quiet",
        *(word for key, value in places.items() for word in ("-o", f"{key}={value}")),
    ]


# compiling


def compile_module(root: Path, work: Path) -> None:
    """Configure, then compile the libraries and, beside them, SWIG's wrapper; link it all into one module."""
    shutil.copy(HERE / "config_site.h", root / "pjlib/include/pj/config_site.h")
    for name, text, instead in PATCHES:
        file = root / name
        file.write_text(file.read_text(encoding="utf-8").replace(text, instead), encoding="utf-8")
    run(["./aconfigure", *CONFIGURE], root, env={"CFLAGS": OPTIMISE, "CXXFLAGS": OPTIMISE})
    bindings = root / "pjsip-apps/src/swig/python"
    run(swig_command(root), bindings)
    flags = {
        kind: run(["make", "--silent", "--no-print-directory", "-f", "helper.mak", kind], bindings).split()
        for kind in ("cflags", "ldflags", "libs")
    }
    with open(work / "wrapper.log", "w", encoding="utf-8") as log:
        wrapper = subprocess.Popen(wrapper_command(flags["cflags"]), cwd=bindings, stdout=log, stderr=log)
        try:
            run(["make", "--silent", f"--jobs={os.cpu_count() or 1}", "lib"], root)
        except BaseException:
            wrapper.terminate()
            raise
        finally:
            failed = wrapper.wait()
    if failed:
        raise BuildError(f"the wrapper does not compile; see {work / 'wrapper.log'}")
    run(link_command(flags["ldflags"], flags["libs"]), bindings)


def swig_command(root: Path) -> list[str]:
    """As upstream's Makefile, without the documentation."""
    parts = ("pjlib", "pjlib-util", "pjnath", "pjmedia", "pjsip")
    includes = [f"-I{root / part / 'include'}" for part in parts]
    return ["swig", *includes, "-c++", "-w312", "-threads", "-python", "-o", "pjsua2_wrap.cpp", "../pjsua2.i"]


def wrapper_command(cflags: Sequence[str]) -> list[str]:
    include = f"-I{sysconfig.get_paths()['include']}"
    return ["g++", *cflags, "-w", "-O1", include, "-c", "pjsua2_wrap.cpp", "-o", "pjsua2_wrap.o"]


def link_command(ldflags: Sequence[str], libraries: Sequence[str]) -> list[str]:
    """pjproject's own libraries go in whole: callers reach any of its C functions through ctypes."""
    own = [f"-l{name}" for name in libraries if name.startswith("pj")]
    others = [f"-l{name}" for name in libraries if not name.startswith("pj")]
    whole = ["-Wl,--whole-archive", *own, "-Wl,--no-whole-archive"]
    return ["g++", "-shared", "-Wl,-O1", "-o", "_pjsua2.so", "pjsua2_wrap.o", *ldflags, *whole, *others]


def run(command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> str:
    """Run a command and return what it prints. Raises BuildError with the last of what it said."""
    settings = [f"{name}={value}" for name, value in {"LC_ALL": "C", **(env or {})}.items()]
    whole = ["env", *settings, *command]
    done = subprocess.run(whole, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise BuildError(f"{' '.join(command[:3])} failed in {folder}: {' | '.join(said[-3:])}")
    return done.stdout


# the wheel


def call_limit(config_site: str) -> int:
    match = re.search(r"#define PJSUA_MAX_CALLS (\d+)", config_site)
    if match is None:
        raise BuildError("config_site.h does not define PJSUA_MAX_CALLS")
    return int(match.group(1))


def wheel_version(version_mak: str) -> str:
    """pjproject's version with the local label that tells this build from the published one."""
    parts = dict(re.findall(r"export PJ_VERSION_(\w+)\s*:=[ \t]*(\S*)", version_mak))
    release = ".".join(parts[key] for key in ("MAJOR", "MINOR", "REV") if parts.get(key))
    suffix = re.sub(r"[^a-z0-9]+", "", parts.get("SUFFIX", "").lower())
    return f"{release}+capacity" + (f".{suffix}" if suffix else "")


def stage(root: Path, package: Path) -> None:
    """Lay the package out as the published wheel does."""
    package.mkdir(parents=True)
    bindings = root / "pjsip-apps/src/swig/python"
    shutil.copy(bindings / "_pjsua2.so", package / f"_pjsua2{sysconfig.get_config_var('EXT_SUFFIX')}")
    shutil.copy(bindings / "pjsua2.py", package)
    version = wheel_version((root / "version.mak").read_text(encoding="utf-8"))
    (package / "__init__.py").write_text(INIT, encoding="utf-8")
    (package / "_version.py").write_text(f'__version__ = "{version}"\n', encoding="utf-8")


def wheel_tag() -> str:
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return f"{python}-{python}-{re.sub(r'[-.]', '_', sysconfig.get_platform())}"


def pack(package: Path, version: str, licence: Path, out: Path) -> Path:
    """Write the wheel; its bytes depend on the contents only."""
    info = f"{NAME}-{version}.dist-info"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    metadata = (
        f"Metadata-Version: 2.1\nName: {NAME.replace('_', '-')}\nVersion: {version}\n"
        f"Summary: pjsua2 of pjproject, built for hundreds of calls\nLicense: GPL-2.0-or-later\n"
        f"Requires-Python: =={python}.*\n"
    )
    files = {f"{package.name}/{file.name}": file.read_bytes() for file in sorted(package.glob("*.*"))}
    files[f"{info}/METADATA"] = metadata.encode()
    files[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: hotline\nRoot-Is-Purelib: false\nTag: {wheel_tag()}\n".encode()
    )
    files[f"{info}/licenses/COPYING"] = licence.read_bytes()
    files[f"{info}/RECORD"] = record(files, f"{info}/RECORD").encode()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if ".so" in name else 0o644) << 16
            wheel.writestr(entry, content)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{NAME}-{version}-{wheel_tag()}.whl"
    path.write_bytes(archive.getvalue())
    return path


def record(files: Mapping[str, bytes], own_name: str) -> str:
    """The wheel's list of files with URL-safe SHA-256 without padding, and sizes; itself without either."""
    rows = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip('=')},{len(content)}"
        for name, content in files.items()
    ]
    return "\n".join([*rows, f"{own_name},,", ""])


if __name__ == "__main__":
    raise SystemExit(main())
