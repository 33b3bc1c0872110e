"""Packages: what is served. A folder with a manifest, files by hash, and samples with their expected answers.

Standard library only: the gateway reads packages too.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast

from aimass.kernel.ids import new_id
from aimass.models.errors import BrokenPackage
from aimass.models.shapes import parse_datatype, parse_shape, usual_datatype

FORMAT = 1
MANIFEST = "manifest.json"
SAMPLES = "samples.json"
LOCK = "requirements.lock"
_DEEPEST, _LONGEST = 16, 255
MAX_MANIFEST_BYTES = 16 * 1024 * 1024
Kind = Literal["string", "float", "integer", "boolean"]
Unseen = Literal["serve", "refuse"]
PROBABILITIES, LABELS = "probabilities", "labels"
KINDS = ("string", "float", "integer", "boolean")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One input of a model: its type, whether it may be null, and which categories it knows.

    Attributes
    ----------
    categories
        The values seen in training, or None when the column is open (numbers, or too many values).
    unseen
        What serving does with a category that training never saw: answer and count it, or refuse.
    shape
        The sizes of an input that is a tensor, -1 where any is welcome; None for a column of a table.
    datatype
        The one datatype of a tensor, such as ``UINT8``; None for the usual one of its type.
    """

    name: str
    type: Kind
    nullable: bool = False
    categories: tuple[str, ...] | None = None
    unseen: Unseen = "serve"
    shape: tuple[int, ...] | None = None
    datatype: str | None = None

    @property
    def element(self) -> str:
        """Return the datatype in the words of the Open Inference Protocol."""
        return self.datatype or usual_datatype(self.type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One output of a model; ``classes`` names the columns of probabilities."""

    name: str
    type: Kind
    shape: tuple[int, ...] | None = None
    classes: tuple[str, ...] | None = None
    datatype: str | None = None

    @property
    def element(self) -> str:
        """Return the datatype in the words of the Open Inference Protocol."""
        return self.datatype or usual_datatype(self.type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The typed inputs and outputs of a model.

    Attributes
    ----------
    streams
        Whether the answer comes in chunks, each with every output.
    """

    inputs: tuple[Column, ...]
    outputs: tuple[Output, ...]
    streams: bool = False

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the classes in the order of the probabilities; empty without probabilities."""
        return next((output.classes for output in self.outputs if output.classes), ())


def is_of_sets(signature: Signature) -> bool:
    """Tell whether a model answers a probability for each of several labels, and the labels that it chooses.

    Examples
    --------
    >>> shares = Output(name="probabilities", type="float", shape=(-1, 2), classes=("love", "war"))
    >>> is_of_sets(Signature(inputs=(), outputs=(shares, Output(name="labels", type="string", shape=(-1, 2)))))
    True
    """
    return [one.name for one in signature.outputs] == [PROBABILITIES, LABELS] and bool(signature.classes)


def policy_outputs(actions: Sequence[str]) -> tuple[Output, ...]:
    """Return what a policy answers: the action that it drew, with which chance, the chance of each, and what each would bring.

    Examples
    --------
    >>> [one.name for one in policy_outputs(["call", "mail"])]
    ['action', 'propensity', 'probabilities', 'rewards']
    """
    names = tuple(actions)
    return (
        Output(name="action", type="string", shape=(-1,)),
        Output(name="propensity", type="float", shape=(-1,)),
        Output(name="probabilities", type="float", shape=(-1, len(names)), classes=names),
        Output(name="rewards", type="float", shape=(-1, len(names))),
    )


def language_outputs(dimensions: int) -> tuple[Output, ...]:
    """Return what a language model answers: how the text goes on, its bits, how many pieces it is, and its vector.

    Examples
    --------
    >>> [one.name for one in language_outputs(8)]
    ['text_output', 'bits', 'tokens', 'embedding']
    """
    return (
        Output(name="text_output", type="string", shape=(-1,)),
        Output(name="bits", type="float", shape=(-1,)),
        Output(name="tokens", type="integer", shape=(-1,)),
        Output(name="embedding", type="float", shape=(-1, dimensions)),
    )


def is_of_language(signature: Signature) -> bool:
    """Tell whether a model answers how texts go on, and how likely they are."""
    shape = signature.outputs[-1].shape if signature.outputs else None
    return shape is not None and len(shape) > 1 and signature.outputs == language_outputs(shape[1])


def is_of_policy(signature: Signature) -> bool:
    """Tell whether a model answers which action to take, drawn by the chances that it gives them."""
    return bool(signature.classes) and signature.outputs == policy_outputs(signature.classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFile:
    """Hash and size of one file."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The Python and the packages that the model was built with."""

    python: str
    packages: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a package says of itself; the SHA-256 of its text is the identity of the package.

    Attributes
    ----------
    entry
        The class that answers, as ``module:Class``, in a package that brings code of its own.
    """

    runtime: str
    signature: Signature
    files: Mapping[str, PackageFile]
    environment: Environment
    why_python: str | None = None
    entry: str | None = None
    format: int = FORMAT

    def text(self) -> bytes:
        """Return the manifest as it is written: the same manifest always gives the same bytes."""
        said = asdict(self)
        if self.entry is None:  # a package without code has the identity that it always had
            del said["entry"]
        return (json.dumps(said, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package that lies in a folder."""

    folder: Path
    manifest: Manifest
    digest: str

    def samples(self) -> dict[str, Any]:
        """Return the sample inputs and the answers that the trained model gave."""
        if SAMPLES not in self.manifest.files:
            raise BrokenPackage("the package holds no samples.json", field="files", hint="package the model again")
        return json.loads((self.folder / SAMPLES).read_bytes())

    @property
    def size(self) -> int:
        """Return the bytes of all files."""
        return sum(file.size for file in self.manifest.files.values())


def write_package(folder: Path, manifest: Manifest, files: Mapping[str, bytes | Path]) -> Package:
    """Write a package; ``manifest.files`` is filled from the files. The folder appears whole or not at all.

    A file is given by its content, or by the path of one that is copied.
    """
    listed = {name: _listed(data) for name, data in sorted(files.items())}
    whole = Manifest(
        runtime=manifest.runtime,
        signature=manifest.signature,
        files=listed,
        environment=manifest.environment,
        why_python=manifest.why_python,
        entry=manifest.entry,
    )
    text = whole.text()
    building = folder.with_name(f".{folder.name}.{new_id()}")
    building.mkdir(parents=True)
    for name, data in {**files, MANIFEST: text}.items():
        _write(building / check_path(name), data)
    if folder.exists():
        shutil.rmtree(folder)
    building.rename(folder)
    return Package(folder=folder, manifest=whole, digest=sha256(text).hexdigest())


def _listed(data: bytes | Path) -> PackageFile:
    if isinstance(data, bytes):
        return PackageFile(sha256=sha256(data).hexdigest(), size=len(data))
    with data.open("rb") as stream:
        return PackageFile(sha256=file_digest(stream, "sha256").hexdigest(), size=data.stat().st_size)


def _write(path: Path, data: bytes | Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        if isinstance(data, bytes):
            file.write(data)
        else:
            with data.open("rb") as source:
                shutil.copyfileobj(source, file)
        file.flush()
        os.fsync(file.fileno())


def read_package(folder: Path) -> Package:
    """Read a package's manifest without looking at its files; see :func:`verify_package`."""
    path = folder / MANIFEST
    if not path.is_file():
        raise BrokenPackage(
            f"there is no {MANIFEST} in {folder.name!r}", field=MANIFEST, hint="package the model again"
        )
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise BrokenPackage(f"{MANIFEST} is larger than {MAX_MANIFEST_BYTES} bytes", field=MANIFEST)
    text = path.read_bytes()
    return Package(folder=folder, manifest=parse_manifest(text), digest=sha256(text).hexdigest())


def verify_package(folder: Path) -> Package:
    """Read a package and refuse it when a file is missing, changed, unlisted, or lies outside the folder."""
    package = read_package(folder)
    for name, file in package.manifest.files.items():
        _verify_file(folder, name, file)
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    extra = sorted(present - {MANIFEST, *package.manifest.files})
    if extra:
        raise BrokenPackage(
            f"file {extra[0]!r} is not in the manifest", field="files", value=extra[0], hint="list it, or remove it"
        )
    return package


def _verify_file(folder: Path, name: str, file: PackageFile) -> None:
    path = folder / check_path(name)
    if any(part.is_symlink() for part in (path, *path.parents) if part.is_relative_to(folder) and part != folder):
        raise BrokenPackage(f"file {name!r} is a link", field="files", value=name, allowed="plain files")
    if not path.is_file():
        raise BrokenPackage(f"file {name!r} of the manifest is missing", field="files", value=name)
    with path.open("rb") as stream:
        found = file_digest(stream, "sha256").hexdigest()
    if found != file.sha256 or path.stat().st_size != file.size:
        raise BrokenPackage(
            f"file {name!r} does not match its manifest",
            field="files",
            value=found,
            allowed=file.sha256,
            hint="the file changed after packaging: package the model again",
        )


def check_path(name: str) -> str:
    """Return a file name of a package, or refuse one that could leave the folder.

    Examples
    --------
    >>> check_path("weights/part-1.bin")
    'weights/part-1.bin'
    """
    path = PurePosixPath(name)
    bad = not name or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or str(path) != name
    too_long = len(path.parts) > _DEEPEST or any(len(part.encode(errors="replace")) > _LONGEST for part in path.parts)
    if bad or too_long or path.parts[0].startswith("."):
        raise BrokenPackage(
            f"path {name[:200]!r} may not be in a package",
            field="files",
            value=name[:200],
            allowed=f"relative paths inside the package, at most {_DEEPEST} folders deep, names of at most {_LONGEST} bytes",
        )
    return name


def parse_manifest(text: bytes) -> Manifest:
    """Read a manifest; each fault is named with its field."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as reason:
        raise BrokenPackage(f"{MANIFEST} is not JSON: {reason}", field=MANIFEST) from reason
    body = _mapping(raw, MANIFEST)
    if body.get("format") != FORMAT:
        raise BrokenPackage(
            f"package format {body.get('format')!r} is not known",
            field="format",
            value=body.get("format"),
            allowed=FORMAT,
        )
    environment = _mapping(body.get("environment"), "environment")
    return Manifest(
        runtime=_text(body.get("runtime"), "runtime"),
        signature=parse_signature(body.get("signature")),
        files={check_path(name): _file(item, name) for name, item in _mapping(body.get("files"), "files").items()},
        environment=Environment(
            python=_text(environment.get("python"), "environment.python"),
            packages={str(k): str(v) for k, v in _mapping(environment.get("packages"), "environment.packages").items()},
        ),
        why_python=body.get("why_python"),
        entry=None if body.get("entry") is None else _text(body["entry"], "entry"),
    )


def parse_signature(raw: Any) -> Signature:
    """Read a signature from its JSON."""
    signature = _mapping(raw, "signature")
    return Signature(
        inputs=tuple(_column(item) for item in _list(signature.get("inputs"), "signature.inputs")),
        outputs=tuple(_output(item) for item in _list(signature.get("outputs"), "signature.outputs")),
        streams=signature.get("streams") is True,
    )


def _column(raw: Any) -> Column:
    item = _mapping(raw, "signature.inputs")
    unseen = item.get("unseen", "serve")
    if unseen not in ("serve", "refuse"):
        raise BrokenPackage(
            f"unseen {unseen!r} is not allowed", field="unseen", value=unseen, allowed=["serve", "refuse"]
        )
    kind, shape = _kind(item.get("type")), parse_shape(item.get("shape"), "signature.inputs.shape")
    column = Column(
        name=_text(item.get("name"), "signature.inputs.name"),
        type=kind,
        nullable=bool(item.get("nullable", False)),
        categories=_texts(item.get("categories")),
        unseen=unseen,
        shape=shape,
        datatype=parse_datatype(item.get("datatype"), kind, "signature.inputs.datatype"),
    )
    _check_tensor(column)
    return column


def _check_tensor(column: Column) -> None:
    """Refuse rules of columns on a tensor, and the other way round."""
    if column.shape is None and column.datatype is not None:
        raise BrokenPackage(
            f"input {column.name!r} has a datatype and no shape",
            field="signature.inputs.datatype",
            value=column.datatype,
            hint="give it a shape, or leave the datatype out: a column takes every number that fits",
        )
    if column.shape is not None and (column.nullable or column.categories is not None):
        raise BrokenPackage(
            f"input {column.name!r} has a shape, so it can be neither nullable nor have categories",
            field="signature.inputs.shape",
        )


def _output(raw: Any) -> Output:
    item = _mapping(raw, "signature.outputs")
    kind = _kind(item.get("type"))
    return Output(
        name=_text(item.get("name"), "signature.outputs.name"),
        type=kind,
        shape=parse_shape(item.get("shape"), "signature.outputs.shape"),
        classes=_texts(item.get("classes")),
        datatype=parse_datatype(item.get("datatype"), kind, "signature.outputs.datatype"),
    )


def _file(raw: Any, name: str) -> PackageFile:
    item = _mapping(raw, f"files.{name}")
    size = item.get("size")
    if not isinstance(size, int) or size < 0:
        raise BrokenPackage(f"size {size!r} of {name!r} is no number of bytes", field=f"files.{name}.size", value=size)
    return PackageFile(sha256=_text(item.get("sha256"), f"files.{name}.sha256"), size=size)


def _kind(raw: Any) -> Kind:
    if raw not in KINDS:
        raise BrokenPackage(f"type {raw!r} is not known", field="type", value=raw, allowed=list(KINDS))
    return cast("Kind", raw)


def _texts(raw: Any) -> tuple[str, ...] | None:
    return None if raw is None else tuple(str(item) for item in _list(raw, "categories"))


def _mapping(raw: Any, at: str) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise BrokenPackage(f"{at} must be an object, not {type(raw).__name__}", field=at)
    return cast("dict[str, Any]", raw)


def _list(raw: Any, at: str) -> list[Any]:
    if not isinstance(raw, list | tuple):
        raise BrokenPackage(f"{at} must be a list, not {type(raw).__name__}", field=at)
    return list(cast("list[Any]", raw))


def _text(raw: Any, at: str) -> str:
    if not isinstance(raw, str) or not raw:
        raise BrokenPackage(f"{at} must be a text", field=at, value=raw)
    return raw
