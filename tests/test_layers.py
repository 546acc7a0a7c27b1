"""The rooms of the program and which of them may use which (the drawing is in docs and in every room's docstring).

Enforced twice: by reading the imports, and by importing what people run where the heavy libraries do not exist.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {"cli": 5, "server": 4, "serving": 3, "dives": 2, "training": 2, "export": 2, "realtime": 1}
LEARNING = {"tensorflow", "keras", "keras_tuner", "tf2onnx", "onnx", "matplotlib", "sklearn"}
WEB = {"fastapi", "starlette", "uvicorn", "websockets", "pydantic"}
# What a room may not import anywhere, not even inside a function.
FORBIDDEN = {
    "realtime": LEARNING | WEB | {"asyncio"},
    "dives": LEARNING | WEB | {"asyncio"},
    "training": WEB | {"asyncio"},
    "export": WEB | {"asyncio"},
    "serving": LEARNING,
    "server": LEARNING,
    "cli": LEARNING,
}


def modules() -> Iterator[tuple[str, Path]]:
    """(room, file) of every module of the program that is there."""
    for room in FLOORS:
        if (ROOT / f"{room}.py").exists():
            yield room, ROOT / f"{room}.py"
        for path in sorted((ROOT / room).rglob("*.py")):
            yield room, path


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import in a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import; name the room"
            yield node.lineno, node.module or ""
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, "attr", getattr(node.func, "id", "")) in ("import_module", "__import__")
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            yield node.lineno, str(node.args[0].value)


@pytest.mark.parametrize(
    ("room", "path"), [pytest.param(room, path, id=str(path.relative_to(ROOT))) for room, path in modules()]
)
def test_a_module_uses_only_its_room_and_the_floors_below(room: str, path: Path) -> None:
    for line, name in imported(path):
        target = name.partition(".")[0]
        if target in FLOORS and target != room:
            assert FLOORS[target] < FLOORS[room], f"{path}:{line}: {room} must not import {name}"
        assert target not in FORBIDDEN[room], f"{path}:{line}: {room} must not import {name}"


def test_no_room_is_missing_from_the_rule() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests"}
    files = {path.stem for path in ROOT.glob("*.py") if not path.stem.startswith(("conftest", "setup"))}
    assert packages | files <= FLOORS.keys() | {"web", "models", "bench", "docs"}


def import_without(blocked: set[str], names: list[str]) -> None:
    script = "import importlib, sys\n"
    script += "".join(f"sys.modules[{name!r}] = None\n" for name in sorted(blocked))
    script += "".join(f"importlib.import_module({name!r})\n" for name in names)
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def names_in(*rooms: str) -> list[str]:
    found = [path.relative_to(ROOT).with_suffix("") for room, path in modules() if room in rooms]
    return [".".join(path.parts).removesuffix(".__init__") for path in found]


def test_server_and_cli_start_where_nothing_to_learn_with_is_installed() -> None:
    import_without(LEARNING, names_in("server", "serving", "cli"))


def test_realtime_and_dives_run_where_neither_learning_nor_web_is_installed() -> None:
    import_without(LEARNING | WEB, names_in("realtime", "dives"))
