"""Read a package from its directory, and refuse one that is not what its manifest says."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from aimass.gateway.plane.columns import DATATYPES, Column
from aimass.gateway.plane.decode import Input
from aimass.gateway.plane.tensors import Tensor, datatype_of
from aimass.kernel.errors import Invalid

_SAMPLES = "samples.json"
_KEPT = frozenset({"model.onnx", _SAMPLES})
PLATFORMS = {"onnx": "onnxruntime_onnx"}  # of all other runtimes it is their own name: workers run them


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package whose files match its manifest.

    Attributes
    ----------
    streams
        Whether the answer comes in chunks.
    table
        The inputs that are columns.
    model
        The bytes of ``model.onnx`` as they were checked; None for a Python package, and where only the manifest was read.
    sampled
        The bytes of ``samples.json``; None when there is none.
    size
        How many bytes the files have together, as the manifest says.
    """

    folder: Path
    runtime: str
    signature: dict[str, Any]
    columns: dict[str, Input]
    model: bytes | None
    streams: bool = False
    sampled: bytes | None = None
    size: int = 0
    table: dict[str, Column] = field(init=False)

    def __post_init__(self) -> None:
        """Note which inputs are columns."""
        columns = {name: column for name, column in self.columns.items() if isinstance(column, Column)}
        object.__setattr__(self, "table", columns)

    @property
    def draws(self) -> bool:
        """Tell whether each question gets a draw of its own, as of a policy: an answer that was kept would be no draw."""
        return {output["name"] for output in self.signature["outputs"]} >= {"action", "propensity"}

    def samples(self) -> dict[str, list[Any]]:
        """Return the rows that the package carries, by input; empty when it carries none."""
        if self.sampled is None:
            return {}
        inputs = orjson.loads(self.sampled)["inputs"]
        return {name: values for name, values in inputs.items() if name in self.table}


def read_package(folder: Path, unseen: str | None = None) -> Package:
    """Read and check a package; every listed file must be there with its hash.

    ``unseen`` (``serve`` or ``refuse``) is what the endpoint says about unseen categories, over what the package says.
    """
    manifest = _manifest(folder)
    read: dict[str, bytes] = {}
    for name, spec in manifest["files"].items():
        data = _file(folder, name, spec["sha256"])
        if name in _KEPT:
            read[name] = data
    return _package(folder, manifest, unseen, read)


def describe_package(folder: Path, unseen: str | None = None) -> Package:
    """Read what a package says of itself and its samples, without looking at its model."""
    manifest = _manifest(folder)
    spec = manifest["files"].get(_SAMPLES)
    read = {} if spec is None else {_SAMPLES: _file(folder, _SAMPLES, spec["sha256"])}
    return _package(folder, manifest, unseen, read)


def _package(folder: Path, manifest: dict[str, Any], unseen: str | None, read: dict[str, bytes]) -> Package:
    signature = manifest["signature"]
    for spec in (*signature["inputs"], *signature["outputs"]):
        if spec["type"] not in DATATYPES:
            raise Invalid(f"type {spec['type']!r} of {spec['name']!r} is not known", allowed=sorted(DATATYPES))
        datatype_of(spec)
    for spec in signature["inputs"] if unseen else ():
        spec["unseen"] = unseen
    runtime = manifest["runtime"]
    if runtime == "onnx" and "model.onnx" not in manifest["files"]:
        raise Invalid(f"the package {folder} lists no model.onnx", field="files")
    columns = {spec["name"]: _input(spec) for spec in signature["inputs"]}
    streams = signature.get("streams") is True
    if streams and runtime in ("onnx", "graph"):
        raise Invalid(f"a package of runtime {runtime!r} cannot answer in chunks", field="streams")
    return Package(
        folder=folder,
        runtime=runtime,
        signature=signature,
        columns=columns,
        model=read.get("model.onnx"),
        streams=streams,
        sampled=read.get(_SAMPLES),
        size=sum(int(spec.get("size") or 0) for spec in manifest["files"].values()),
    )


def _input(spec: dict[str, Any]) -> Input:
    return Column.from_manifest(spec) if spec.get("shape") is None else Tensor.from_manifest(spec)


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    try:
        manifest = orjson.loads(path.read_bytes())
    except FileNotFoundError as reason:
        raise Invalid(f"there is no {path}", field="package", value=str(folder)) from reason
    except orjson.JSONDecodeError as reason:
        raise Invalid(f"{path} is not JSON: {reason}", field="package") from reason
    for name in ("runtime", "signature", "files"):
        if not isinstance(manifest, dict) or name not in manifest:
            raise Invalid(f"{path} has no {name!r}", field=name)
    if not isinstance(manifest["runtime"], str) or not manifest["runtime"].isidentifier():
        raise Invalid(f"runtime {str(manifest['runtime'])[:100]!r} is no name", field="runtime")
    return manifest


def _file(folder: Path, name: str, expected: str) -> bytes:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise Invalid(f"file {name!r} leaves the package", field="files", value=name)
    try:
        data = path.read_bytes()
    except OSError as reason:
        raise Invalid(
            f"file {name!r} of the package cannot be read: {reason.strerror}", field="files", value=name
        ) from reason
    actual = sha256(data).hexdigest()
    if actual != expected:
        raise Invalid(
            f"file {name!r} does not match the manifest: it has SHA-256 {actual[:12]}, the manifest says {expected[:12]}",
            field="files",
            value=name,
            hint="the package was changed after its registration: register it again",
        )
    return data
