"""What the Open Inference Protocol says of models: metadata, configuration, and the index of the repository."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aimass._version import __version__
from aimass.gateway.plane.columns import OFFERED
from aimass.gateway.plane.entrance import chosen
from aimass.gateway.plane.snapshot import Deployment, Endpoint
from aimass.gateway.plane.tensors import datatype_of

EXTENSIONS = ("binary_tensor_data", "model_configuration", "model_repository", "statistics", "generate")


def describe_server() -> dict[str, Any]:
    """Describe the server."""
    return {"name": "aimass", "version": __version__, "extensions": list(EXTENSIONS)}


def describe_model(endpoint: Endpoint, version: str) -> dict[str, Any]:
    """Describe a model: typed inputs with what they allow, and outputs."""
    model = chosen(endpoint, version).loaded
    signature = model.package.signature
    return {
        "name": endpoint.name,
        "versions": sorted({deployment.version for deployment in endpoint.deployments}),
        "platform": model.runtime.platform,
        "inputs": [_tensor(spec) if spec.get("shape") is not None else _column(spec) for spec in signature["inputs"]],
        "outputs": [{**_tensor(spec), **_classes(spec)} for spec in signature["outputs"]],
    }


def _column(spec: dict[str, Any]) -> dict[str, Any]:
    rules = {
        "nullable": bool(spec.get("nullable", False)),
        "categories": spec.get("categories"),
        "unseen": spec.get("unseen", "refuse"),
    }
    return {"name": spec["name"], "datatype": OFFERED[spec["type"]], "shape": [-1, 1], "parameters": rules}


def _tensor(spec: dict[str, Any]) -> dict[str, Any]:
    shape = spec.get("shape")
    return {"name": spec["name"], "datatype": datatype_of(spec), "shape": [-1] if shape is None else shape}


def _classes(spec: dict[str, Any]) -> dict[str, Any]:
    return {"parameters": {"classes": spec["classes"]}} if spec.get("classes") else {}


def model_config(endpoint: Endpoint, version: str) -> dict[str, Any]:
    """Return the configuration of a model in the shape of the model configuration extension.

    Shapes are whole, their first size included, so ``max_batch_size`` is 0: a request may hold as many rows as its
    body may have bytes.
    """
    described = describe_model(endpoint, version)
    return {
        "name": described["name"],
        "platform": described["platform"],
        "backend": described["platform"].partition("_")[0],
        "version_policy": {"specific": {"versions": [int(v) for v in described["versions"] if v.isdigit()]}},
        "max_batch_size": 0,
        "model_transaction_policy": {"decoupled": chosen(endpoint, version).loaded.package.streams},
        "input": [_port(tensor) for tensor in described["inputs"]],
        "output": [_port(tensor) for tensor in described["outputs"]],
    }


def _port(tensor: dict[str, Any]) -> dict[str, Any]:
    datatype = "STRING" if tensor["datatype"] == "BYTES" else tensor["datatype"]
    return {"name": tensor["name"], "data_type": f"TYPE_{datatype}", "dims": tensor["shape"]}


def index_of(endpoints: Iterable[Endpoint], *, only_ready: bool = False) -> list[dict[str, Any]]:
    """List the versions of all models, whether each is ready, and why not.

    Of a model that this process runs itself ``parameters`` say whether it is in memory now, and how much it takes there.
    """
    found: list[dict[str, Any]] = []
    for endpoint in endpoints:
        found += [_of(endpoint.name, deployment) for deployment in endpoint.deployments]
        if endpoint.held is not None:
            reason = f"unloaded by {endpoint.held['by']!r}"
            found += [_entry(endpoint.name, version, reason=reason) for version in endpoint.held["versions"]]
    return [entry for entry in found if not only_ready or entry["state"] == "READY"]


def _of(name: str, deployment: Deployment) -> dict[str, Any]:
    lazy = deployment.loaded.lazy
    if lazy is None:
        return _entry(name, deployment.version, is_ready=deployment.is_ready)
    entry = _entry(name, deployment.version, is_ready=deployment.is_ready, reason=lazy.fault)
    return {**entry, "parameters": {"loaded": lazy.is_loaded, "pinned": lazy.is_pinned, "bytes": memory_of(deployment)}}


def memory_of(deployment: Deployment) -> int:
    """Return how many bytes a deployment takes in this process now."""
    lazy = deployment.loaded.lazy
    return lazy.size if lazy is not None and lazy.is_loaded else 0


def _entry(name: str, version: str, *, is_ready: bool = False, reason: str = "") -> dict[str, Any]:
    reason = reason or ("" if is_ready else "its worker is not running")
    return {"name": name, "version": version, "state": "READY" if is_ready else "UNAVAILABLE", "reason": reason}


def statistics_of(endpoint: Endpoint, version: str) -> dict[str, Any]:
    """Tell what this worker did for a model; its shadow and its fallback are counted for themselves."""
    found = [endpoint.of_version(version)] if version else endpoint.deployments
    return {"model_stats": [_statistics(endpoint.name, one) for one in found]}


def _statistics(name: str, deployment: Deployment) -> dict[str, Any]:
    report = deployment.tally.report(name, deployment.version)
    if deployment.loaded.lazy is None:
        return report
    return {**report, "memory_usage": [{"type": "CPU", "id": 0, "byte_size": memory_of(deployment)}]}
