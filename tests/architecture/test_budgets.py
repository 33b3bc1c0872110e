"""Files, functions and classes stay small, and nobody cheats on imports."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "aimass"
FILES = [p for p in sorted(SOURCE.rglob("*.py")) if "node_modules" not in p.parts and p.parent.name != "versions"]
GENERATED = (SOURCE / "client" / "generated", SOURCE / "client" / "catalog.py")
HARD_LINES, HARD_BODY, MAX_METHODS, MAX_ARGUMENTS = 500, 50, 20, 6
BANNED_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "manager"}


def is_generated(path: Path) -> bool:
    return any(path == place or place in path.parents for place in GENERATED)


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = node.body
    if (
        isinstance(body[0], ast.Expr)
        and isinstance(body[0].value, ast.Constant)
        and isinstance(body[0].value.value, str)
    ):
        body = body[1:]
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_keeps_its_budget(path: Path) -> None:
    if is_generated(path):
        return
    text = path.read_text()
    tree = ast.parse(text)
    assert text.count("\n") <= HARD_LINES, "the file is too long: split it"
    assert path.stem not in BANNED_NAMES, "name the file after what it holds"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            nested = [
                n for n in ast.walk(node) if n is not node and isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
            ]
            assert body_lines(node) <= HARD_BODY or nested, f"{node.name} is {body_lines(node)} lines long"
            count = (
                len(node.args.args)
                + len(node.args.kwonlyargs)
                - bool(node.args.args[:1] and node.args.args[0].arg in ("self", "cls"))
            )
            assert count <= MAX_ARGUMENTS or node.name in ("__init__", "render"), f"{node.name} takes {count} arguments"
        assert not isinstance(node, ast.Global), "no global statement"


def local_imports(tree: ast.Module) -> list[str]:
    found = []
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aimass"):
                    found.append(node.module or "")
                if isinstance(node, ast.Import):
                    found += [a.name for a in node.names if a.name.startswith("aimass")]
    return found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_own_modules_are_imported_at_the_top(path: Path) -> None:
    if is_generated(path):
        return
    allowed = (
        {"aimass.cli.derived"} if name_of(path) == "cli/app.py" else set[str]()
    )  # --help stays quick without the catalogue
    assert set(local_imports(ast.parse(path.read_text()))) <= allowed
