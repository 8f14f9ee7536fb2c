"""Rules of the house that a linter does not know."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotline.logs import PRIVATE_KEYS
from tests.guards.source import PACKAGES, ROOT, project_files, python_files, tree, where

pytestmark = [pytest.mark.guard]

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
LOG_METHODS = {"debug", "info", "warning", "error", "critical", "exception", "bind", "new", "log"}
# Written in pieces, so that this file does not find itself.
REGISTRIES = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "npm" + "js.",
    "proxy.go" + "lang.org",
    "/sim" + "ple/",
]
MACHINE_PATHS = ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/"]
SECRET = re.compile(r"(?i)\b(password|api_key|api_token|secret)\s*=\s*[\"'][^\"'{}\s]{6,}[\"']")


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call))


def test_files_stay_short() -> None:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}
    assert [f"{path.relative_to(ROOT)}: {n}" for path, n in sizes.items() if n >= MAX_FILE_LINES] == []


def test_functions_stay_short() -> None:
    """A function's own lines: those of functions within it are theirs."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    long = []
    for path in python_files(*PACKAGES):
        for node in ast.walk(tree(path)):
            if isinstance(node, functions):
                inner = [item for item in ast.walk(node) if isinstance(item, functions) and item is not node]
                lines = len(_lines(node).difference(*map(_lines, inner)))
                if lines >= MAX_FUNCTION_LINES:
                    long.append(f"{where(path, node)}: {node.name} has {lines} lines")
    assert long == []


def _lines(node: ast.stmt) -> set[int]:
    return set(range(node.lineno, (node.end_lineno or node.lineno) + 1))


def test_every_module_says_what_it_is() -> None:
    modules = {path: tree(path) for path in python_files()}
    silent = [path for path, module in modules.items() if module.body and not ast.get_docstring(module)]
    assert [str(path.relative_to(ROOT)) for path in silent] == []


def test_every_test_module_has_a_marker() -> None:
    bare = []
    for path in python_files("tests"):
        if path.name.startswith("test_"):
            names = [
                target.id
                for node in tree(path).body
                if isinstance(node, ast.Assign)
                for target in node.targets
                if isinstance(target, ast.Name)
            ]
            if "pytestmark" not in names:
                bare.append(str(path.relative_to(ROOT)))
    assert bare == []


def test_unit_tests_do_not_sleep() -> None:
    sleepers = [
        where(path, call)
        for path in python_files("tests")
        if path.relative_to(ROOT).parts[1] == "unit"
        for call in calls(path)
        if ast.unparse(call.func) in ("time.sleep", "asyncio.sleep", "anyio.sleep")
        and [ast.unparse(argument) for argument in call.args] != ["0"]
    ]
    assert sleepers == []


def test_no_task_is_started_and_forgotten() -> None:
    forgotten = [
        where(path, node)
        for path in python_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func).rpartition(".")[2] in ("create_task", "ensure_future")
        and ast.unparse(node.value.func) not in ("group.create_task", "tasks.create_task")
    ]
    assert forgotten == []


def test_logs_carry_no_words_and_no_numbers() -> None:
    """Neither as a key, nor as an argument, nor within an f-string."""
    wrong = []
    for path in python_files(*PACKAGES):
        for call in calls(path):
            function = call.func
            if not (isinstance(function, ast.Attribute) and function.attr in LOG_METHODS):
                continue
            owner = ast.unparse(function.value).rpartition(".")[2].lstrip("_")
            if owner not in ("log", "logger", "logging", "LOG"):
                continue
            keys = {keyword.arg for keyword in call.keywords} & PRIVATE_KEYS
            values = {_last_name(value) for value in _logged(call)} & PRIVATE_KEYS
            formatted = any(isinstance(argument, ast.JoinedStr) for argument in call.args)
            if keys or values or formatted:
                wrong.append(
                    f"{where(path, call)}: {sorted(map(str, keys | values)) or 'an f-string for an event'}"
                )
    assert wrong == []


def _logged(call: ast.Call) -> Iterator[ast.expr]:
    yield from call.args[1:]
    yield from (keyword.value for keyword in call.keywords)


def _last_name(value: ast.expr) -> str:
    if isinstance(value, ast.Attribute):
        return value.attr if value.attr != "name" else ""  # of a file or an engine
    return value.id if isinstance(value, ast.Name) else ""


def test_only_the_composition_root_reads_the_environment() -> None:
    readers = [
        where(path, node)
        for path in python_files(*PACKAGES)
        if path.relative_to(ROOT).parts[0] != "hotline"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv", "sys.argv")
        if not path.name.endswith("_probe.py")  # a process of its own, told what to do by its arguments
    ]
    assert readers == []


def test_nothing_is_swallowed() -> None:
    """An `except` that does nothing must name a narrow error and say why that is right."""
    silent = []
    for path in python_files(*PACKAGES):
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ExceptHandler) and all(isinstance(item, ast.Pass) for item in node.body):
                wide = node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
                if wide or "#" not in lines[node.body[0].lineno - 1]:
                    silent.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert silent == []


def _texts() -> Iterator[tuple[Path, str]]:
    for path in project_files():
        if path.stat().st_size < 2_000_000:
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue  # a binary


def test_no_registry_no_machine_and_no_secret_in_any_file() -> None:
    found = []
    for path, text in _texts():
        name = path.relative_to(ROOT)
        for mark in REGISTRIES + MACHINE_PATHS:
            if mark in text:
                found.append(f"{name}: {mark}")
        if path.suffix in (".py", ".toml", ".cfg", ".yaml", ".sh") and name.parts[0] not in (
            "tests",
            "bench",
        ):
            found += [f"{name}: {match[0]}" for match in SECRET.finditer(text)]
    assert found == []
