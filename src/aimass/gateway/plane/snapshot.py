"""What control publishes: keys, endpoints, deployments. Read as a whole, loaded as a whole, swapped at once."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from aimass.gateway.plane.auth import Key
from aimass.gateway.plane.errors import NotReady, UnknownVersion, Unloaded
from aimass.gateway.plane.metrics import Counter, Histogram, Labels, Metrics
from aimass.gateway.plane.package import Package, describe_package, read_package
from aimass.gateway.plane.policy import RANDOM, Rescue, Split, StaticAnswer
from aimass.gateway.plane.runtimes.isolated import IsolatedRuntime
from aimass.gateway.plane.runtimes.lazy import LazyRuntime, Shelf
from aimass.gateway.plane.runtimes.onnx import OnnxRuntime
from aimass.gateway.plane.runtimes.pooled import PooledRuntime
from aimass.gateway.plane.runtimes.port import Runtime
from aimass.gateway.plane.runtimes.reader import RowReader
from aimass.gateway.plane.shadows import ShadowStats
from aimass.gateway.plane.tallies import Tally
from aimass.gateway.plane.tokens import Tokens
from aimass.infra.devices import AUTO
from aimass.infra.plans import Plan

STATIC = "static"
_OWN = "isolated"
_COLD = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
Identity = tuple[str, str, str, str]


@dataclass(slots=True, kw_only=True)
class Model:
    """A package with the runtime that runs it; shared by all deployments of the same revision."""

    key: Identity
    package: Package
    runtime: Runtime

    @property
    def is_ready(self) -> bool:
        """Tell whether a request can be answered now."""
        return self.runtime.is_ready

    @property
    def lazy(self) -> LazyRuntime | None:
        """Return what is loaded when it is asked for, where that is so."""
        return self.runtime if isinstance(self.runtime, LazyRuntime) else None

    def use(self, spec: dict[str, Any]) -> None:
        """Follow what may change of a deployment while it serves."""
        if self.lazy is not None:
            self.lazy.is_pinned = bool(spec.get("pinned"))
            if self.lazy.is_pinned:
                self.lazy.wake()
        elif isinstance(self.runtime, IsolatedRuntime):
            self.runtime.use(addresses(spec) or [], is_on_demand=bool(spec.get("on_demand")))


@dataclass(slots=True, kw_only=True)
class Served:
    """What is said about each successful request of one consumer that takes the cheap path, made once."""

    count: Counter
    record: bytes
    reply: bytes
    reply_size: int

    @classmethod
    def of(
        cls, count: Counter, deployment: Deployment, reader: RowReader, consumer: str, *, has_payload: bool
    ) -> Served:
        """Prepare record and reply.

        ``record`` takes id, trace, time and microseconds, and with a payload inputs, label and probabilities; ``reply`` takes
        a header line, id, size of the body, id, label and probabilities.
        """
        head = b'%b,"consumer":%b,"status":200' % (deployment.record_head, orjson.dumps(consumer))
        values = b'"inputs":{%%b},"outputs":%b' % reader.record if has_payload else b'"inputs":null,"outputs":null'
        body = _quoted(deployment.reply_head) + reader.reply
        return cls(
            count=count,
            record=b'{"id":"%%b","trace":"%%.32b","t":%%.6f,%b,"latency_us":%%d,"rows":1,%b,"unseen":[]}'
            % (_quoted(head), values),
            reply=b"HTTP/1.1 200 OK\r\n%b%%bContent-Type: application/json\r\nX-Request-Id: %%b\r\nContent-Length: %%d\r\n\r\n%b"
            % (_quoted(deployment.head_lines), body),
            reply_size=len(body % (b"", b"", b"")),
        )


def _quoted(text: bytes) -> bytes:
    """Return a text that may stand in a template."""
    return text.replace(b"%", b"%%")


@dataclass(slots=True, kw_only=True)
class Deployment:
    """A loaded deployment of an endpoint."""

    id: str
    name: str
    revision: str
    weight: float
    model: str
    version: str
    loaded: Model
    is_shadow: bool
    latency: Histogram
    tally: Tally
    head_lines: bytes
    reply_head: bytes
    record_head: bytes
    served: dict[str, Served] = field(default_factory=dict)
    stats: dict[str, ShadowStats] = field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        """Tell whether a request can be answered now."""
        return self.loaded.is_ready

    def count_key(self, workspace: str, endpoint: str, consumer: str, status: int) -> tuple[str, Labels]:
        """Return the counter for one status."""
        labels = (("code", str(status)), ("consumer", consumer), ("endpoint", endpoint), ("revision", self.revision))
        return "gateway_requests", (*labels, ("workspace", workspace))


@dataclass(slots=True, kw_only=True)
class Endpoint:
    """A stable name with the deployments that share its traffic.

    Attributes
    ----------
    held
        Which deployments are unloaded, and by whom; None when none is.
    """

    id: str
    name: str
    workspace: str
    timeout_s: float
    max_body_bytes: int
    sample: float
    payload: bool
    deployments: list[Deployment]
    shadow: Deployment | None
    fallback: Deployment | None
    split: Split
    shadow_share: float
    rescue: Rescue
    static: tuple[StaticAnswer, Deployment] | None
    held: dict[str, Any] | None = None
    bounds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        total = 0.0
        self.bounds = []
        for deployment in self.deployments:
            total += max(0.0, deployment.weight)
            self.bounds.append(total)

    def all(self) -> list[Deployment]:
        """Return every deployment, shadow and fallback with them."""
        return [*self.deployments, *(d for d in (self.shadow, self.fallback) if d is not None)]

    def choose(self, share: float) -> Deployment:
        """Return the deployment for a random share in [0, 1)."""
        deployments = self.deployments
        if len(deployments) == 1:
            return deployments[0]
        if not deployments or not self.bounds[-1]:
            self._refuse_held()
            raise NotReady(f"endpoint {self.name!r} has no deployment that is loaded", value=self.name)
        return deployments[bisect_right(self.bounds, share * self.bounds[-1])]

    def _refuse_held(self) -> None:
        if self.held is not None:
            raise Unloaded(
                f"endpoint {self.name!r} was unloaded by {self.held['by']!r}",
                value=self.name,
                hint=f"POST /v2/repository/models/{self.name}/load brings it back",
            )

    def of_version(self, version: str) -> Deployment:
        """Return the deployment of a model version."""
        for deployment in self.deployments:
            if deployment.version == version:
                return deployment
        if self.held is not None and version in self.held["versions"]:
            self._refuse_held()
        present = sorted({d.version for d in self.deployments})
        raise UnknownVersion(
            f"endpoint {self.name!r} has no deployment of version {version!r}",
            field="version",
            value=version,
            allowed=present,
        )


@dataclass(slots=True, kw_only=True)
class Snapshot:
    """One applied snapshot."""

    version: int = 0
    control_socket: str = ""
    keys: dict[str, Key] = field(default_factory=dict)
    devices: dict[str, Key] = field(default_factory=dict)
    tokens: Tokens = field(default_factory=Tokens)
    endpoints: dict[tuple[str, str], Endpoint] = field(default_factory=dict)
    models: dict[Identity, Model] = field(default_factory=dict)
    loaded: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)


def identity(spec: dict[str, Any]) -> Identity:
    """Return what makes two deployments share one loaded model."""
    place = "" if addresses(spec) is None else _OWN
    return (spec["revision"], str(spec["package"]), place, spec.get("unseen") or "")


def addresses(spec: dict[str, Any]) -> list[str] | None:
    """Return the sockets of the workers of a deployment; None for one that runs in this process.

    Examples
    --------
    >>> addresses({"socket": "/run/a"}), addresses({"sockets": []}), addresses({"socket": None, "sockets": None})
    (['/run/a'], [], None)
    """
    if spec.get("sockets") is not None:
        return list(spec["sockets"])
    return [spec["socket"]] if spec.get("socket") else None


def make_model(spec: dict[str, Any], shelf: Shelf) -> Model:
    """Make what stands for the package of a deployment; a graph for this process is not loaded yet."""
    key = identity(spec)
    folder, unseen = Path(spec["package"]), spec.get("unseen")
    package = describe_package(folder, unseen)
    if package.runtime != "onnx" or key[2]:
        package = read_package(folder, unseen)
        return Model(key=key, package=package, runtime=IsolatedRuntime(addresses(spec) or [], package))
    running = spec.get("running") or {}
    plan = Plan(lanes=int(running.get("threads") or 0), max_rows=int(running.get("max_rows") or 1))
    device = spec.get("device") or AUTO
    lazy = LazyRuntime(lambda: load_graph(folder, unseen, plan, device), shelf, package.size)
    return Model(key=key, package=package, runtime=lazy)


def load_graph(folder: Path, unseen: str | None, plan: Plan, device: str) -> Runtime:
    """Load a graph after a look at its hash; blocking, meant for a thread."""
    inner = OnnxRuntime(read_package(folder, unseen), device)
    return PooledRuntime(inner, plan) if plan.lanes else inner


class Builder:
    """Builds the next snapshot from the published document, the models that were loaded, and the snapshot before."""

    def __init__(self, before: Snapshot, models: dict[Identity, Model], metrics: Metrics) -> None:
        self._before = before
        self._models = models
        self._metrics = metrics
        self.loaded: dict[str, str] = {}

    def endpoint(self, path: str, spec: dict[str, Any]) -> Endpoint:
        """Build one endpoint; what could not be loaded is replaced by what served before."""
        workspace = spec.get("workspace") or path.partition("/")[0]
        old = self._before.endpoints.get((workspace, spec["name"]))
        record = spec.get("record") or {}
        deployments = [d for d in (self._deployment(spec, d, old) for d in spec["deployments"]) if d is not None]
        if old is not None and spec["deployments"] and not any(d.weight > 0 for d in deployments):
            deployments = old.deployments
        for deployment in deployments:
            self.loaded[deployment.id] = deployment.revision
        return Endpoint(
            id=spec["id"],
            name=spec["name"],
            workspace=workspace,
            timeout_s=float(spec.get("timeout_s") or 30),
            max_body_bytes=int(spec.get("max_body_bytes") or 16 * 1024 * 1024),
            sample=float(record.get("sample", 1.0)),
            payload=bool(record.get("payload", True)),
            deployments=deployments,
            shadow=self._beside(spec, "shadow", old.shadow if old else None),
            fallback=self._beside(spec, "fallback", old.fallback if old else None),
            **self._policy({**spec, "workspace": workspace}, deployments),
            held=spec.get("held"),
        )

    def _policy(self, spec: dict[str, Any], deployments: list[Deployment]) -> dict[str, Any]:
        """Return what the endpoint says of its traffic."""
        traffic = spec.get("traffic") or {}
        on, after_s = traffic.get("fallback_on"), traffic.get("fallback_after_s")
        return {
            "split": Split(by=traffic.get("split") or RANDOM, name=traffic.get("split_by") or "", salt=spec["id"]),
            "shadow_share": float(traffic.get("shadow_percent", 100)) / 100,
            "rescue": Rescue(after_s=after_s) if on is None else Rescue(on=frozenset(on), after_s=after_s),
            "static": self._static(spec, traffic.get("static"), deployments),
        }

    def _static(
        self, spec: dict[str, Any], outputs: list[dict[str, Any]] | None, deployments: list[Deployment]
    ) -> tuple[StaticAnswer, Deployment] | None:
        """Return the answer that needs no model, with what stands for its deployment in replies and records."""
        if not outputs or not deployments:
            return None
        wanted = {"id": "", "name": STATIC, "revision": "", "model": "", "version": STATIC}
        head = {
            "head_lines": b"",
            "record_head": orjson.dumps(_record_of(spec, {**wanted, "name": "", "version": ""}))[1:-1],
        }
        made = self._made(spec, wanted, deployments[0].loaded, is_shadow=False)
        kept = {name: getattr(made, name) for name in Deployment.__slots__}
        return StaticAnswer(outputs), Deployment(**{**kept, **head})

    def _beside(self, spec: dict[str, Any], role: str, old: Deployment | None) -> Deployment | None:
        beside = spec.get(role)
        if not isinstance(beside, dict):
            return None
        model = self._models.get(identity(beside))
        if model is None:
            return old
        self.loaded[beside["id"]] = beside["revision"]
        return self._made(spec, beside, model, is_shadow=role == "shadow")

    def _deployment(self, spec: dict[str, Any], wanted: dict[str, Any], old: Endpoint | None) -> Deployment | None:
        model = self._models.get(identity(wanted))
        before = next((d for d in (old.deployments if old else []) if d.id == wanted["id"]), None)
        if model is not None and (before is None or model.is_ready or not before.is_ready):
            return self._made(spec, wanted, model, is_shadow=False)
        if before is None:
            return None
        kept = {name: getattr(before, name) for name in Deployment.__slots__}
        return Deployment(**{**kept, "weight": float(wanted.get("weight", 0))})

    def _made(self, spec: dict[str, Any], wanted: dict[str, Any], model: Model, *, is_shadow: bool) -> Deployment:
        labels = (("endpoint", spec["name"]), ("revision", wanted["revision"]), ("workspace", spec["workspace"]))
        labels = (*labels, ("shadow", "true")) if is_shadow else labels
        shown = quote(f"{wanted['model']}/{wanted['version']}", safe="/")
        kept = "Cache-Control: no-store\r\n" if model.package.draws else ""  # no cache before it may repeat a draw
        record = _record_of(spec, wanted)
        if is_shadow:
            record["shadow"] = True
        if isinstance(model.runtime, IsolatedRuntime):
            whose = (("deployment", record["deployment"]), ("endpoint", spec["name"]), ("workspace", spec["workspace"]))
            model.runtime.awake = self._metrics.histogram("gateway_cold_start_seconds", whose, _COLD).observe
        return Deployment(
            id=wanted["id"],
            name=wanted.get("name", ""),
            revision=wanted["revision"],
            weight=float(wanted.get("weight", 0)),
            model=wanted["model"],
            version=str(wanted["version"]),
            loaded=model,
            is_shadow=is_shadow,
            latency=self._metrics.latency(labels),
            tally=self._metrics.tally(labels),
            head_lines=f"X-Aimass-Model: {shown}\r\nX-Aimass-Revision: {quote(wanted['revision'])}\r\n{kept}".encode(),
            reply_head=orjson.dumps({"model_name": spec["name"], "model_version": str(wanted["version"])})[:-1] + b",",
            record_head=orjson.dumps(record)[1:-1],
        )


def _record_of(spec: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return what every record of a deployment says."""
    return {
        "workspace": spec["workspace"],
        "endpoint": spec["name"],
        "deployment": wanted.get("name") or wanted["id"],
        "revision": wanted["revision"],
        "model": wanted["model"],
        "version": wanted["version"],
    }


def wanted_deployments(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every deployment that a published document names, shadows and fallbacks with them."""
    found: list[dict[str, Any]] = []
    for spec in document.get("endpoints", {}).values():
        found += spec["deployments"]
        found += [spec[role] for role in ("shadow", "fallback") if isinstance(spec.get(role), dict)]
    return found
