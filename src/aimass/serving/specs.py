"""Endpoints as documents: ``aimass export`` writes them, ``aimass apply`` makes it so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from aimass.kernel.errors import Invalid, NotFound
from aimass.kernel.pages import MAX_LIMIT, every
from aimass.kernel.principal import Principal
from aimass.kernel.registry import Registry
from aimass.serving.domain.commands import (
    ChangeEndpoint,
    CreateEndpoint,
    Deploy,
    ListEndpoints,
    OneEndpoint,
    SetTraffic,
)
from aimass.serving.domain.placing import Options
from aimass.serving.domain.policy import PLAIN
from aimass.serving.domain.scaling import Replicas
from aimass.serving.domain.things import Deployment, Endpoint, Resources
from aimass.serving.service.serving import Serving

KIND = "endpoint"
_FIELDS = (
    "description",
    "timeout_s",
    "max_body_bytes",
    "unseen",
    "sample",
    "payload",
    "retention_days",
    "max_record_bytes",
)
_PARTS = ("model", "alias", "model_version", "placement")
_OPTIONS = ("execution", "max_rows", "isolation", "network", "pinned", "device")
_WHOLE: dict[str, Any] = {
    "placement": "auto",
    "execution": "auto",
    "max_rows": 0,
    "isolation": "auto",
    "network": False,
    "pinned": False,
    "device": "auto",
}


def export(registry: Registry, who: Principal, workspace: str) -> list[dict[str, Any]]:
    """Write every endpoint that the principal may read."""
    if not who.allows("serving.read", workspace):
        return []
    serving, wish = registry.get(Serving), ListEndpoints(workspace=workspace, limit=MAX_LIMIT)
    found = every(lambda cursor: serving.list_endpoints(who, replace(wish, cursor=cursor)))
    return [_document(endpoint) for endpoint in found]


def apply(
    registry: Registry, who: Principal, workspace: str, document: Mapping[str, Any], *, dry_run: bool
) -> tuple[str, list[str]]:
    """Create or change an endpoint until it is as the document says; return what was done and which fields differ."""
    serving = registry.get(Serving)
    _check(document)
    present = _find(serving, who, workspace, document["name"])
    before = _document(present) if present is not None else {"traffic": {}, "deployments": []}
    fields = sorted(name for name in document if name not in ("kind", "name") and document[name] != before.get(name))
    if fields and not dry_run:
        _make(serving, who, (workspace, document), before, is_new=present is None)
    action = "create" if present is None else "change" if fields else "none"
    return action, fields


class EndpointSpecs:
    """How the room's one kind of document is written and applied."""

    export = staticmethod(export)
    apply = staticmethod(apply)


ENDPOINT = EndpointSpecs()


def _make(
    serving: Serving, who: Principal, wish: tuple[str, Mapping[str, Any]], before: Mapping[str, Any], *, is_new: bool
) -> None:
    workspace, document = wish
    name = document["name"]
    plain = {field: document[field] for field in _FIELDS if field in document}
    if is_new:
        serving.create_endpoint(who, CreateEndpoint(workspace=workspace, name=name, **plain))
    elif any(before.get(field) != value for field, value in plain.items()):
        serving.change_endpoint(who, ChangeEndpoint(workspace=workspace, endpoint=name, **plain))
    for part in document.get("deployments", ()):
        if part not in before["deployments"]:
            whole = {**_WHOLE, **part, "resources": _resources(part.get("resources") or {})}
            whole["replicas"] = _replicas(part.get("replicas") or {})
            deploy = Deploy(workspace=workspace, endpoint=name, reason="applied from a document", **whole)
            serving.deploy(who, deploy)
    traffic = document.get("traffic")
    if traffic and traffic != before["traffic"]:
        serving.set_traffic(who, SetTraffic(workspace=workspace, endpoint=name, **_whole(traffic)))


def _whole(traffic: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document's traffic as a command that leaves nothing as it is."""
    wish: dict[str, Any] = {**PLAIN, "shadow": "", "fallback": "", **traffic}
    return {**wish, "static": wish["static"] or {}, "fallback_after_s": wish["fallback_after_s"] or 0}


def _document(endpoint: Endpoint) -> dict[str, Any]:
    record = endpoint.record
    document: dict[str, Any] = {
        "kind": KIND,
        "name": endpoint.slug,
        "description": endpoint.description,
        "timeout_s": endpoint.timeout_s,
        "max_body_bytes": endpoint.max_body_bytes,
        "unseen": endpoint.unseen,
        "sample": record.sample,
        "payload": record.payload,
        "retention_days": record.retention_days,
        "max_record_bytes": record.max_bytes,
        "deployments": [_part(one) for one in endpoint.deployments],
    }
    traffic = endpoint.traffic
    if traffic.weights:
        said = {name: getattr(traffic, name) for name in (*PLAIN, "shadow", "fallback")}
        document["traffic"] = {"weights": dict(traffic.weights), **_unlike_plain(said)}
    return document


def _unlike_plain(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a policy that say something."""
    return {name: value for name, value in said.items() if value and value != PLAIN.get(name)}


def _part(one: Deployment) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in _PARTS}
    values |= _unusual(one.options, Options(), _OPTIONS)
    resources = _unusual(one.resources, Resources(), tuple(field.name for field in fields(Resources)))
    values |= {"resources": resources} if resources else {}
    replicas = _unusual(one.options.replicas, Replicas(), tuple(field.name for field in fields(Replicas)))
    values |= {"replicas": replicas} if replicas else {}
    return {"name": one.name, **{name: value for name, value in values.items() if value is not None}}


def _unusual(thing: Any, usual: Any, names: Iterable[str]) -> dict[str, Any]:
    """Return what differs from the defaults."""
    return {name: getattr(thing, name) for name in names if getattr(thing, name) != getattr(usual, name)}


def _resources(given: Mapping[str, Any]) -> Resources:
    _known(given, {field.name for field in fields(Resources)}, "resources")
    return Resources(**given)


def _replicas(given: Mapping[str, Any]) -> Replicas:
    _known(given, {field.name for field in fields(Replicas)}, "replicas")
    return Replicas(**given)


def _find(serving: Serving, who: Principal, workspace: str, name: str) -> Endpoint | None:
    try:
        return serving.get_endpoint(who, OneEndpoint(workspace=workspace, endpoint=name))
    except NotFound:
        return None


def _check(document: Mapping[str, Any]) -> None:
    """Refuse fields that an endpoint does not have."""
    allowed = {"kind", "name", "deployments", "traffic", *_FIELDS}
    _known(document, allowed, "endpoint")
    for part in document.get("deployments", ()):
        _known(part, {"name", *_PARTS, *_OPTIONS, "resources", "replicas"}, "deployments")
    traffic = document.get("traffic")
    if traffic is not None:
        _known(traffic, {"weights", "shadow", "fallback", *PLAIN}, "traffic")
        if not isinstance(traffic.get("weights"), dict):
            raise Invalid("traffic needs weights", field="traffic.weights", value=traffic.get("weights"))


def _known(given: Mapping[str, Any], allowed: set[str], where: str) -> None:
    unknown = sorted(set(given) - allowed)
    if unknown:
        raise Invalid(
            f"{where} has no field {unknown[0]!r}", field=unknown[0], value=unknown[0], allowed=sorted(allowed)
        )
