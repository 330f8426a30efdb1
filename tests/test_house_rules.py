"""The structure of the package, held against the table in docs/architecture.md."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import invdn

PACKAGE = Path(invdn.__file__).parent
REPOSITORY = Path(__file__).parents[1]
ARCHITECTURE = REPOSITORY / "docs" / "architecture.md"


def _rooms() -> dict[str, set[str]]:
    """Room -> rooms that it may import, from the table in the document."""
    rows = re.findall(r"^\| `([\w/]+)` \|.*\|([^|]*)\|$", ARCHITECTURE.read_text(), re.MULTILINE)
    return {room.rstrip("/"): set(re.findall(r"`(\w+)", allowed)) for room, allowed in rows}


def _room(path: Path) -> str:
    """The folder in the package, or the module, that a file belongs to."""
    place = path.relative_to(PACKAGE)
    return place.parts[0] if len(place.parts) > 1 else place.stem


def _imported_rooms(path: Path) -> set[str]:
    parts = ("invdn", *path.relative_to(PACKAGE).with_suffix("").parts)
    rooms: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            module = (*parts[: -node.level], *(node.module or "").split("."))
            module = tuple(part for part in module if part)
            names = [module] if len(module) > 1 else [(*module, name.name) for name in node.names]
            rooms.update(name[1] for name in names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names_of_package = node.module.split(".")
            if names_of_package[0] == "invdn":
                rooms.update(names_of_package[1:2])
        elif isinstance(node, ast.Import):
            rooms.update(
                name.name.split(".")[1] for name in node.names if name.name.startswith("invdn.")
            )
    return rooms


def test_the_table_names_every_room() -> None:
    present = {_room(path) for path in PACKAGE.rglob("*.py")}
    assert present - {"__init__", "__main__"} == set(_rooms())


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.name))
def test_imports_run_downwards(path: Path) -> None:
    room = _room(path)
    if room in ("__init__", "__main__"):
        return
    wrong = _imported_rooms(path) - {room} - _rooms()[room]
    assert not wrong, f"{path} imports {wrong}, which docs/architecture.md does not allow"


def test_only_the_command_prints() -> None:
    for path in PACKAGE.rglob("*.py"):
        if _room(path) != "cli":
            calls = [
                node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
            ]
            assert not [
                c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"
            ], path


def test_the_public_face_is_complete() -> None:
    static = {
        alias.asname
        for node in ast.walk(ast.parse((PACKAGE / "__init__.py").read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    assert static == set(invdn.__all__), "type checkers see other names than Python"
    for name in invdn.__all__:
        value = getattr(invdn, name)
        assert value.__doc__ or hasattr(value, "__origin__"), f"{name} has no docstring"
    assert set(invdn.__all__) <= set(dir(invdn))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = invdn.no_such_name


@pytest.mark.parametrize(
    "statement",
    ["import invdn", "import invdn.cli", "import invdn.weights", "import invdn.inference"],
)
def test_importing_is_light(statement: str) -> None:
    script = f"import sys; {statement}; print('torch' in sys.modules, 'onnxruntime' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]


def test_help_loads_no_heavy_library() -> None:
    names = [path.stem for path in (PACKAGE / "cli").glob("*.py") if path.stem != "smoke"]
    script = "import sys, importlib\n" + "".join(
        f"importlib.import_module('invdn.cli.{name}')\n"
        f"print('{name}', *{{'numpy', 'pyvips', 'torch', 'fastapi'}} & set(sys.modules))\n"
        for name in sorted(names)
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert [line for line in done.stdout.splitlines() if " " in line] == []


def test_ci_and_readme_say_the_same() -> None:
    (command,) = re.findall(
        r"^pip install .*pytest.*$", (REPOSITORY / "README.md").read_text(), re.MULTILINE
    )
    assert command in (REPOSITORY / ".ci" / "tests").read_text()
    assert re.search(r"^\.ci/tests\b", (REPOSITORY / ".ci" / "run").read_text(), re.MULTILINE)
