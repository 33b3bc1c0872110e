"""Look into the files of a Python package without running anything of them."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

from aimass.infra.compute import read_lock
from aimass.kernel.errors import AimassError
from aimass.models.errors import BrokenPackage
from aimass.models.package import LOCK, Package
from aimass.models.runtimes.python.entry import Entry, entry_of

_ANSWERS = ("predict", "predict_stream")
_OPENED_BY_CODE = (".pkl", ".pickle", ".joblib", ".pt", ".pth")


def check(package: Package, file: str) -> str:
    """Refuse a file that the runtime would not open; return one sentence on what was found."""
    entry, path = entry_of(package), package.folder / file
    if entry is not None:
        if file == entry.file(package):
            return check_class(path, entry)
        return check_lock(path) if file == LOCK else "for the package's own code"
    if file == LOCK:
        return check_lock(path)
    if not file.endswith(".skops"):
        raise BrokenPackage(
            f"file {file!r} is not allowed in a package without code of its own",
            field="files",
            value=file,
            allowed=[".skops"],
            hint="a pickle may run code: write the model with skops, or name a class in 'entry' that opens it"
            if file.endswith(_OPENED_BY_CODE)
            else "name the class that opens it in 'entry' of the manifest, as module:Class",
        )
    import_module("aimass.models.runtimes.python.known").check_types(path)
    return "only known types"


def check_lock(path: Path) -> str:
    """Refuse a lock with a line that is no exact version with hashes; return one sentence."""
    try:
        return f"{len(read_lock(path))} packages of its own, each with its hash"
    except (AimassError, ValueError) as reason:
        message = reason.message if isinstance(reason, AimassError) else f"{LOCK} is no text"
        hint = reason.hint if isinstance(reason, AimassError) else None
        raise BrokenPackage(message, field=LOCK, hint=hint or "write it again with uv pip compile") from reason


def check_class(path: Path, entry: Entry) -> str:
    """Refuse code that cannot hold the class of an entry; return one sentence."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as reason:
        raise BrokenPackage(f"{path.name!r} is no Python: {reason}", field="files", value=path.name) from reason
    found = next((node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == entry.name), None)
    if found is None:
        return _imported(tree, path, entry)
    methods = {node.name for node in found.body if isinstance(node, ast.FunctionDef)}
    if not methods.intersection(_ANSWERS) and not found.bases:
        raise BrokenPackage(
            f"class {entry.name!r} has no method {_ANSWERS[0]!r}",
            field="entry",
            value=sorted(methods),
            allowed=list(_ANSWERS),
        )
    return f"code: the class {entry.name} answers; it runs in a worker of its own alone"


def _imported(tree: ast.Module, path: Path, entry: Entry) -> str:
    """Accept a class that a module takes from elsewhere."""
    names = {name for node in tree.body for name in _assigned(node)}
    if entry.name not in names:
        classes = sorted(node.name for node in tree.body if isinstance(node, ast.ClassDef))
        raise BrokenPackage(
            f"{path.name!r} has no class {entry.name!r}", field="entry", value=entry.name, allowed=classes
        )
    return f"code: {entry.name} answers; it runs in a worker of its own alone"


def _assigned(node: ast.stmt) -> list[str]:
    """Return the names that a statement at the top of a module brings in."""
    if isinstance(node, ast.ImportFrom | ast.Import):
        return [alias.asname or alias.name for alias in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]
