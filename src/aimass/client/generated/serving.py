"""Methods of serving. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from typing import Any, Literal

from aimass.client.calls import AsyncCalls, Calls
from aimass.client.generated.serving_types import (
    Deployment,
    Endpoint,
    EndpointSignature,
    EndpointStatus,
    HistoryEntry,
    Replicas,
    Resources,
    Revision,
    RowExplanation,
    Scaling,
    Scoring,
    ScoringPlan,
    Snippet,
    Trial,
)
from aimass.kernel.pages import Page


class ServingCalls(Calls):
    """Operations of serving."""

    def cancel_scoring(self, *, scoring: str, workspace: str | None = None) -> Scoring:
        """Stop a scoring; no version is made of what it scored so far."""
        return self._call("serving.cancel_scoring", {"scoring": scoring, "workspace": workspace}, Scoring)

    def change_endpoint(
        self,
        *,
        endpoint: str,
        workspace: str | None = None,
        description: str | None = None,
        timeout_s: float | None = None,
        max_body_bytes: int | None = None,
        sample: float | None = None,
        payload: bool | None = None,
        retention_days: int | None = None,
        max_record_bytes: int | None = None,
        unseen: Literal["model", "serve", "refuse"] | None = None,
        expected_version: int | None = None,
    ) -> Endpoint:
        """Change the limits and the record policy of an endpoint."""
        return self._call(
            "serving.change_endpoint",
            {
                "endpoint": endpoint,
                "workspace": workspace,
                "description": description,
                "timeout_s": timeout_s,
                "max_body_bytes": max_body_bytes,
                "sample": sample,
                "payload": payload,
                "retention_days": retention_days,
                "max_record_bytes": max_record_bytes,
                "unseen": unseen,
                "expected_version": expected_version,
            },
            Endpoint,
        )

    def create_endpoint(
        self,
        *,
        name: str,
        workspace: str | None = None,
        description: str | None = None,
        timeout_s: float | None = None,
        max_body_bytes: int | None = None,
        sample: float | None = None,
        payload: bool | None = None,
        retention_days: int | None = None,
        max_record_bytes: int | None = None,
        unseen: Literal["model", "serve", "refuse"] | None = None,
    ) -> Endpoint:
        """Create an endpoint: a stable name that clients call."""
        return self._call(
            "serving.create_endpoint",
            {
                "name": name,
                "workspace": workspace,
                "description": description,
                "timeout_s": timeout_s,
                "max_body_bytes": max_body_bytes,
                "sample": sample,
                "payload": payload,
                "retention_days": retention_days,
                "max_record_bytes": max_record_bytes,
                "unseen": unseen,
            },
            Endpoint,
        )

    def delete_endpoint(
        self, *, endpoint: str, workspace: str | None = None, expected_version: int | None = None
    ) -> None:
        """Delete an endpoint: it answers no more; its history stays."""
        return self._call(
            "serving.delete_endpoint",
            {"endpoint": endpoint, "workspace": workspace, "expected_version": expected_version},
            None,
        )

    def deploy(
        self,
        *,
        endpoint: str,
        model: str,
        workspace: str | None = None,
        alias: str | None = None,
        model_version: int | None = None,
        name: str | None = None,
        weight: int | None = None,
        placement: Literal["auto", "inline", "isolated"] | None = None,
        resources: Resources | None = None,
        execution: Literal["auto", "inline", "threads", "batched"] | None = None,
        max_rows: int | None = None,
        isolation: Literal["auto", "sandbox", "process"] | None = None,
        network: bool | None = None,
        pinned: bool | None = None,
        device: Literal["auto", "cpu", "cuda", "tensorrt", "rocm", "migraphx", "openvino", "directml", "coreml", "qnn"]
        | None = None,
        replicas: Replicas | None = None,
        reason: str | None = None,
    ) -> Endpoint:
        """Deploy a model on an endpoint; the same again changes nothing."""
        return self._call(
            "serving.deploy",
            {
                "endpoint": endpoint,
                "model": model,
                "workspace": workspace,
                "alias": alias,
                "model_version": model_version,
                "name": name,
                "weight": weight,
                "placement": placement,
                "resources": resources,
                "execution": execution,
                "max_rows": max_rows,
                "isolation": isolation,
                "network": network,
                "pinned": pinned,
                "device": device,
                "replicas": replicas,
                "reason": reason,
            },
            Endpoint,
        )

    def deploy_model(
        self,
        *,
        model: str,
        workspace: str | None = None,
        endpoint: str | None = None,
        alias: str | None = None,
        model_version: int | None = None,
        reason: str | None = None,
    ) -> Endpoint:
        """Serve a model on the endpoint of its name, which is made when it is missing."""
        return self._call(
            "serving.deploy_model",
            {
                "model": model,
                "workspace": workspace,
                "endpoint": endpoint,
                "alias": alias,
                "model_version": model_version,
                "reason": reason,
            },
            Endpoint,
        )

    def explain_row(
        self, *, endpoint: str, row: dict[str, Any], workspace: str | None = None, target: str | None = None
    ) -> RowExplanation:
        """Show what each input of one row contributed to the answer of an endpoint: Shapley values, estimated."""
        return self._call(
            "serving.explain_row",
            {"endpoint": endpoint, "row": row, "workspace": workspace, "target": target},
            RowExplanation,
        )

    def get_endpoint(self, *, endpoint: str, workspace: str | None = None) -> Endpoint:
        """Show an endpoint with its deployments and traffic."""
        return self._call("serving.get_endpoint", {"endpoint": endpoint, "workspace": workspace}, Endpoint)

    def get_scoring(self, *, scoring: str, workspace: str | None = None) -> Scoring:
        """Show a scoring with its progress."""
        return self._call("serving.get_scoring", {"scoring": scoring, "workspace": workspace}, Scoring)

    def get_signature(
        self, *, endpoint: str, workspace: str | None = None, sample: int | None = None
    ) -> EndpointSignature:
        """Show the inputs that an endpoint takes, each with an example, and the classes that it answers."""
        return self._call(
            "serving.get_signature", {"endpoint": endpoint, "workspace": workspace, "sample": sample}, EndpointSignature
        )

    def get_snippet(self, *, endpoint: str, workspace: str | None = None) -> Snippet:
        """Show programs that call an endpoint with a sample of its model: curl, Python, tritonclient, gRPC and MLflow."""
        return self._call("serving.get_snippet", {"endpoint": endpoint, "workspace": workspace}, Snippet)

    def get_status(self, *, endpoint: str, workspace: str | None = None) -> EndpointStatus:
        """Show how an endpoint does right now: its deployments, their workers and the gateways."""
        return self._call("serving.get_status", {"endpoint": endpoint, "workspace": workspace}, EndpointStatus)

    def list_deployments(self, *, endpoint: str, workspace: str | None = None) -> list[Deployment]:
        """List the deployments of an endpoint, the oldest first."""
        return self._call("serving.list_deployments", {"endpoint": endpoint, "workspace": workspace}, list[Deployment])

    def list_endpoints(
        self,
        *,
        workspace: str | None = None,
        model: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Endpoint]:
        """List endpoints with what runs on them, by name."""
        return self._call(
            "serving.list_endpoints",
            {"workspace": workspace, "model": model, "limit": limit, "cursor": cursor},
            Page[Endpoint],
        )

    def list_history(
        self, *, endpoint: str, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[HistoryEntry]:
        """List who ran what in production when: revisions and changes of traffic, the newest first."""
        return self._call(
            "serving.list_history",
            {"endpoint": endpoint, "workspace": workspace, "limit": limit, "cursor": cursor},
            Page[HistoryEntry],
        )

    def list_revisions(
        self,
        *,
        endpoint: str,
        workspace: str | None = None,
        deployment: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Revision]:
        """List what was deployed on an endpoint: which version, by whom, when and why; the newest first."""
        return self._call(
            "serving.list_revisions",
            {"endpoint": endpoint, "workspace": workspace, "deployment": deployment, "limit": limit, "cursor": cursor},
            Page[Revision],
        )

    def list_scalings(
        self, *, endpoint: str, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Scaling]:
        """List when the number of workers of a deployment changed, and why, the newest first."""
        return self._call(
            "serving.list_scalings",
            {"endpoint": endpoint, "workspace": workspace, "limit": limit, "cursor": cursor},
            Page[Scaling],
        )

    def list_scorings(
        self,
        *,
        workspace: str | None = None,
        endpoint: str | None = None,
        model: str | None = None,
        dataset: str | None = None,
        state: Literal["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Scoring]:
        """List scorings, the newest first."""
        return self._call(
            "serving.list_scorings",
            {
                "workspace": workspace,
                "endpoint": endpoint,
                "model": model,
                "dataset": dataset,
                "state": state,
                "limit": limit,
                "cursor": cursor,
            },
            Page[Scoring],
        )

    def plan_scoring(
        self,
        *,
        dataset: str,
        to: str,
        workspace: str | None = None,
        dataset_version: int | None = None,
        endpoint: str | None = None,
        model: str | None = None,
        model_version: int | None = None,
        alias: str | None = None,
        columns: dict[str, str] | None = None,
        keep: list[str] | None = None,
        prefix: str | None = None,
        mode: Literal["overwrite", "append"] | None = None,
        record: int | None = None,
        slots: int | None = None,
        key: str | None = None,
    ) -> ScoringPlan:
        """Show what a scoring would do: which version scores which rows, from which columns, and what is wrong."""
        return self._call(
            "serving.plan_scoring",
            {
                "dataset": dataset,
                "to": to,
                "workspace": workspace,
                "dataset_version": dataset_version,
                "endpoint": endpoint,
                "model": model,
                "model_version": model_version,
                "alias": alias,
                "columns": columns,
                "keep": keep,
                "prefix": prefix,
                "mode": mode,
                "record": record,
                "slots": slots,
                "key": key,
            },
            ScoringPlan,
        )

    def promote(
        self, *, endpoint: str, workspace: str | None = None, deployment: str | None = None, reason: str | None = None
    ) -> Endpoint:
        """Make what a canary runs the main deployment, with all the traffic; the canary is stopped."""
        return self._call(
            "serving.promote",
            {"endpoint": endpoint, "workspace": workspace, "deployment": deployment, "reason": reason},
            Endpoint,
        )

    def remove_deployment(
        self, *, endpoint: str, deployment: str, workspace: str | None = None, reason: str | None = None
    ) -> None:
        """Remove a deployment that gets no traffic; its revisions stay in the history."""
        return self._call(
            "serving.remove_deployment",
            {"endpoint": endpoint, "deployment": deployment, "workspace": workspace, "reason": reason},
            None,
        )

    def roll_back(
        self,
        *,
        endpoint: str,
        workspace: str | None = None,
        deployment: str | None = None,
        revision: int | None = None,
        reason: str | None = None,
    ) -> Endpoint:
        """Bring back what ran before: take a canary out, or return to the revision before the present one."""
        return self._call(
            "serving.roll_back",
            {
                "endpoint": endpoint,
                "workspace": workspace,
                "deployment": deployment,
                "revision": revision,
                "reason": reason,
            },
            Endpoint,
        )

    def set_traffic(
        self,
        *,
        endpoint: str,
        weights: dict[str, int],
        workspace: str | None = None,
        shadow: str | None = None,
        shadow_percent: int | None = None,
        fallback: str | None = None,
        fallback_on: list[Literal["not_ready", "error", "timeout"]] | None = None,
        fallback_after_s: float | None = None,
        static: dict[str, Any] | None = None,
        split: Literal["random", "consumer", "header", "parameter"] | None = None,
        split_by: str | None = None,
        reason: str | None = None,
        expected_version: int | None = None,
    ) -> Endpoint:
        """Share the traffic of an endpoint among its deployments."""
        return self._call(
            "serving.set_traffic",
            {
                "endpoint": endpoint,
                "weights": weights,
                "workspace": workspace,
                "shadow": shadow,
                "shadow_percent": shadow_percent,
                "fallback": fallback,
                "fallback_on": fallback_on,
                "fallback_after_s": fallback_after_s,
                "static": static,
                "split": split,
                "split_by": split_by,
                "reason": reason,
                "expected_version": expected_version,
            },
            Endpoint,
        )

    def start_deployment(
        self, *, endpoint: str, deployment: str, workspace: str | None = None, reason: str | None = None
    ) -> Endpoint:
        """Start a stopped deployment, or try again to start one that failed."""
        return self._call(
            "serving.start_deployment",
            {"endpoint": endpoint, "deployment": deployment, "workspace": workspace, "reason": reason},
            Endpoint,
        )

    def start_scoring(
        self,
        *,
        dataset: str,
        to: str,
        workspace: str | None = None,
        dataset_version: int | None = None,
        endpoint: str | None = None,
        model: str | None = None,
        model_version: int | None = None,
        alias: str | None = None,
        columns: dict[str, str] | None = None,
        keep: list[str] | None = None,
        prefix: str | None = None,
        mode: Literal["overwrite", "append"] | None = None,
        record: int | None = None,
        slots: int | None = None,
        key: str | None = None,
    ) -> Scoring:
        """Score a dataset version as a job; the predictions become a version of another dataset."""
        return self._call(
            "serving.start_scoring",
            {
                "dataset": dataset,
                "to": to,
                "workspace": workspace,
                "dataset_version": dataset_version,
                "endpoint": endpoint,
                "model": model,
                "model_version": model_version,
                "alias": alias,
                "columns": columns,
                "keep": keep,
                "prefix": prefix,
                "mode": mode,
                "record": record,
                "slots": slots,
                "key": key,
            },
            Scoring,
        )

    def stop_deployment(
        self, *, endpoint: str, deployment: str, workspace: str | None = None, reason: str | None = None
    ) -> Endpoint:
        """Stop a deployment; its share of the traffic goes to those that run."""
        return self._call(
            "serving.stop_deployment",
            {"endpoint": endpoint, "deployment": deployment, "workspace": workspace, "reason": reason},
            Endpoint,
        )

    def try_endpoint(
        self,
        *,
        endpoint: str,
        row: dict[str, Any],
        workspace: str | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> Trial:
        """Send one row through the gateway with a short-lived key of your own, and show what came back."""
        return self._call(
            "serving.try_endpoint",
            {"endpoint": endpoint, "row": row, "workspace": workspace, "parameters": parameters},
            Trial,
        )


class AsyncServingCalls(AsyncCalls):
    """Operations of serving, for asyncio."""

    async def cancel_scoring(self, *, scoring: str, workspace: str | None = None) -> Scoring:
        """Stop a scoring; no version is made of what it scored so far."""
        return await self._call("serving.cancel_scoring", {"scoring": scoring, "workspace": workspace}, Scoring)

    async def change_endpoint(
        self,
        *,
        endpoint: str,
        workspace: str | None = None,
        description: str | None = None,
        timeout_s: float | None = None,
        max_body_bytes: int | None = None,
        sample: float | None = None,
        payload: bool | None = None,
        retention_days: int | None = None,
        max_record_bytes: int | None = None,
        unseen: Literal["model", "serve", "refuse"] | None = None,
        expected_version: int | None = None,
    ) -> Endpoint:
        """Change the limits and the record policy of an endpoint."""
        return await self._call(
            "serving.change_endpoint",
            {
                "endpoint": endpoint,
                "workspace": workspace,
                "description": description,
                "timeout_s": timeout_s,
                "max_body_bytes": max_body_bytes,
                "sample": sample,
                "payload": payload,
                "retention_days": retention_days,
                "max_record_bytes": max_record_bytes,
                "unseen": unseen,
                "expected_version": expected_version,
            },
            Endpoint,
        )

    async def create_endpoint(
        self,
        *,
        name: str,
        workspace: str | None = None,
        description: str | None = None,
        timeout_s: float | None = None,
        max_body_bytes: int | None = None,
        sample: float | None = None,
        payload: bool | None = None,
        retention_days: int | None = None,
        max_record_bytes: int | None = None,
        unseen: Literal["model", "serve", "refuse"] | None = None,
    ) -> Endpoint:
        """Create an endpoint: a stable name that clients call."""
        return await self._call(
            "serving.create_endpoint",
            {
                "name": name,
                "workspace": workspace,
                "description": description,
                "timeout_s": timeout_s,
                "max_body_bytes": max_body_bytes,
                "sample": sample,
                "payload": payload,
                "retention_days": retention_days,
                "max_record_bytes": max_record_bytes,
                "unseen": unseen,
            },
            Endpoint,
        )

    async def delete_endpoint(
        self, *, endpoint: str, workspace: str | None = None, expected_version: int | None = None
    ) -> None:
        """Delete an endpoint: it answers no more; its history stays."""
        return await self._call(
            "serving.delete_endpoint",
            {"endpoint": endpoint, "workspace": workspace, "expected_version": expected_version},
            None,
        )

    async def deploy(
        self,
        *,
        endpoint: str,
        model: str,
        workspace: str | None = None,
        alias: str | None = None,
        model_version: int | None = None,
        name: str | None = None,
        weight: int | None = None,
        placement: Literal["auto", "inline", "isolated"] | None = None,
        resources: Resources | None = None,
        execution: Literal["auto", "inline", "threads", "batched"] | None = None,
        max_rows: int | None = None,
        isolation: Literal["auto", "sandbox", "process"] | None = None,
        network: bool | None = None,
        pinned: bool | None = None,
        device: Literal["auto", "cpu", "cuda", "tensorrt", "rocm", "migraphx", "openvino", "directml", "coreml", "qnn"]
        | None = None,
        replicas: Replicas | None = None,
        reason: str | None = None,
    ) -> Endpoint:
        """Deploy a model on an endpoint; the same again changes nothing."""
        return await self._call(
            "serving.deploy",
            {
                "endpoint": endpoint,
                "model": model,
                "workspace": workspace,
                "alias": alias,
                "model_version": model_version,
                "name": name,
                "weight": weight,
                "placement": placement,
                "resources": resources,
                "execution": execution,
                "max_rows": max_rows,
                "isolation": isolation,
                "network": network,
                "pinned": pinned,
                "device": device,
                "replicas": replicas,
                "reason": reason,
            },
            Endpoint,
        )

    async def deploy_model(
        self,
        *,
        model: str,
        workspace: str | None = None,
        endpoint: str | None = None,
        alias: str | None = None,
        model_version: int | None = None,
        reason: str | None = None,
    ) -> Endpoint:
        """Serve a model on the endpoint of its name, which is made when it is missing."""
        return await self._call(
            "serving.deploy_model",
            {
                "model": model,
                "workspace": workspace,
                "endpoint": endpoint,
                "alias": alias,
                "model_version": model_version,
                "reason": reason,
            },
            Endpoint,
        )

    async def explain_row(
        self, *, endpoint: str, row: dict[str, Any], workspace: str | None = None, target: str | None = None
    ) -> RowExplanation:
        """Show what each input of one row contributed to the answer of an endpoint: Shapley values, estimated."""
        return await self._call(
            "serving.explain_row",
            {"endpoint": endpoint, "row": row, "workspace": workspace, "target": target},
            RowExplanation,
        )

    async def get_endpoint(self, *, endpoint: str, workspace: str | None = None) -> Endpoint:
        """Show an endpoint with its deployments and traffic."""
        return await self._call("serving.get_endpoint", {"endpoint": endpoint, "workspace": workspace}, Endpoint)

    async def get_scoring(self, *, scoring: str, workspace: str | None = None) -> Scoring:
        """Show a scoring with its progress."""
        return await self._call("serving.get_scoring", {"scoring": scoring, "workspace": workspace}, Scoring)

    async def get_signature(
        self, *, endpoint: str, workspace: str | None = None, sample: int | None = None
    ) -> EndpointSignature:
        """Show the inputs that an endpoint takes, each with an example, and the classes that it answers."""
        return await self._call(
            "serving.get_signature", {"endpoint": endpoint, "workspace": workspace, "sample": sample}, EndpointSignature
        )

    async def get_snippet(self, *, endpoint: str, workspace: str | None = None) -> Snippet:
        """Show programs that call an endpoint with a sample of its model: curl, Python, tritonclient, gRPC and MLflow."""
        return await self._call("serving.get_snippet", {"endpoint": endpoint, "workspace": workspace}, Snippet)

    async def get_status(self, *, endpoint: str, workspace: str | None = None) -> EndpointStatus:
        """Show how an endpoint does right now: its deployments, their workers and the gateways."""
        return await self._call("serving.get_status", {"endpoint": endpoint, "workspace": workspace}, EndpointStatus)

    async def list_deployments(self, *, endpoint: str, workspace: str | None = None) -> list[Deployment]:
        """List the deployments of an endpoint, the oldest first."""
        return await self._call(
            "serving.list_deployments", {"endpoint": endpoint, "workspace": workspace}, list[Deployment]
        )

    async def list_endpoints(
        self,
        *,
        workspace: str | None = None,
        model: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Endpoint]:
        """List endpoints with what runs on them, by name."""
        return await self._call(
            "serving.list_endpoints",
            {"workspace": workspace, "model": model, "limit": limit, "cursor": cursor},
            Page[Endpoint],
        )

    async def list_history(
        self, *, endpoint: str, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[HistoryEntry]:
        """List who ran what in production when: revisions and changes of traffic, the newest first."""
        return await self._call(
            "serving.list_history",
            {"endpoint": endpoint, "workspace": workspace, "limit": limit, "cursor": cursor},
            Page[HistoryEntry],
        )

    async def list_revisions(
        self,
        *,
        endpoint: str,
        workspace: str | None = None,
        deployment: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Revision]:
        """List what was deployed on an endpoint: which version, by whom, when and why; the newest first."""
        return await self._call(
            "serving.list_revisions",
            {"endpoint": endpoint, "workspace": workspace, "deployment": deployment, "limit": limit, "cursor": cursor},
            Page[Revision],
        )

    async def list_scalings(
        self, *, endpoint: str, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Scaling]:
        """List when the number of workers of a deployment changed, and why, the newest first."""
        return await self._call(
            "serving.list_scalings",
            {"endpoint": endpoint, "workspace": workspace, "limit": limit, "cursor": cursor},
            Page[Scaling],
        )

    async def list_scorings(
        self,
        *,
        workspace: str | None = None,
        endpoint: str | None = None,
        model: str | None = None,
        dataset: str | None = None,
        state: Literal["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Scoring]:
        """List scorings, the newest first."""
        return await self._call(
            "serving.list_scorings",
            {
                "workspace": workspace,
                "endpoint": endpoint,
                "model": model,
                "dataset": dataset,
                "state": state,
                "limit": limit,
                "cursor": cursor,
            },
            Page[Scoring],
        )

    async def plan_scoring(
        self,
        *,
        dataset: str,
        to: str,
        workspace: str | None = None,
        dataset_version: int | None = None,
        endpoint: str | None = None,
        model: str | None = None,
        model_version: int | None = None,
        alias: str | None = None,
        columns: dict[str, str] | None = None,
        keep: list[str] | None = None,
        prefix: str | None = None,
        mode: Literal["overwrite", "append"] | None = None,
        record: int | None = None,
        slots: int | None = None,
        key: str | None = None,
    ) -> ScoringPlan:
        """Show what a scoring would do: which version scores which rows, from which columns, and what is wrong."""
        return await self._call(
            "serving.plan_scoring",
            {
                "dataset": dataset,
                "to": to,
                "workspace": workspace,
                "dataset_version": dataset_version,
                "endpoint": endpoint,
                "model": model,
                "model_version": model_version,
                "alias": alias,
                "columns": columns,
                "keep": keep,
                "prefix": prefix,
                "mode": mode,
                "record": record,
                "slots": slots,
                "key": key,
            },
            ScoringPlan,
        )

    async def promote(
        self, *, endpoint: str, workspace: str | None = None, deployment: str | None = None, reason: str | None = None
    ) -> Endpoint:
        """Make what a canary runs the main deployment, with all the traffic; the canary is stopped."""
        return await self._call(
            "serving.promote",
            {"endpoint": endpoint, "workspace": workspace, "deployment": deployment, "reason": reason},
            Endpoint,
        )

    async def remove_deployment(
        self, *, endpoint: str, deployment: str, workspace: str | None = None, reason: str | None = None
    ) -> None:
        """Remove a deployment that gets no traffic; its revisions stay in the history."""
        return await self._call(
            "serving.remove_deployment",
            {"endpoint": endpoint, "deployment": deployment, "workspace": workspace, "reason": reason},
            None,
        )

    async def roll_back(
        self,
        *,
        endpoint: str,
        workspace: str | None = None,
        deployment: str | None = None,
        revision: int | None = None,
        reason: str | None = None,
    ) -> Endpoint:
        """Bring back what ran before: take a canary out, or return to the revision before the present one."""
        return await self._call(
            "serving.roll_back",
            {
                "endpoint": endpoint,
                "workspace": workspace,
                "deployment": deployment,
                "revision": revision,
                "reason": reason,
            },
            Endpoint,
        )

    async def set_traffic(
        self,
        *,
        endpoint: str,
        weights: dict[str, int],
        workspace: str | None = None,
        shadow: str | None = None,
        shadow_percent: int | None = None,
        fallback: str | None = None,
        fallback_on: list[Literal["not_ready", "error", "timeout"]] | None = None,
        fallback_after_s: float | None = None,
        static: dict[str, Any] | None = None,
        split: Literal["random", "consumer", "header", "parameter"] | None = None,
        split_by: str | None = None,
        reason: str | None = None,
        expected_version: int | None = None,
    ) -> Endpoint:
        """Share the traffic of an endpoint among its deployments."""
        return await self._call(
            "serving.set_traffic",
            {
                "endpoint": endpoint,
                "weights": weights,
                "workspace": workspace,
                "shadow": shadow,
                "shadow_percent": shadow_percent,
                "fallback": fallback,
                "fallback_on": fallback_on,
                "fallback_after_s": fallback_after_s,
                "static": static,
                "split": split,
                "split_by": split_by,
                "reason": reason,
                "expected_version": expected_version,
            },
            Endpoint,
        )

    async def start_deployment(
        self, *, endpoint: str, deployment: str, workspace: str | None = None, reason: str | None = None
    ) -> Endpoint:
        """Start a stopped deployment, or try again to start one that failed."""
        return await self._call(
            "serving.start_deployment",
            {"endpoint": endpoint, "deployment": deployment, "workspace": workspace, "reason": reason},
            Endpoint,
        )

    async def start_scoring(
        self,
        *,
        dataset: str,
        to: str,
        workspace: str | None = None,
        dataset_version: int | None = None,
        endpoint: str | None = None,
        model: str | None = None,
        model_version: int | None = None,
        alias: str | None = None,
        columns: dict[str, str] | None = None,
        keep: list[str] | None = None,
        prefix: str | None = None,
        mode: Literal["overwrite", "append"] | None = None,
        record: int | None = None,
        slots: int | None = None,
        key: str | None = None,
    ) -> Scoring:
        """Score a dataset version as a job; the predictions become a version of another dataset."""
        return await self._call(
            "serving.start_scoring",
            {
                "dataset": dataset,
                "to": to,
                "workspace": workspace,
                "dataset_version": dataset_version,
                "endpoint": endpoint,
                "model": model,
                "model_version": model_version,
                "alias": alias,
                "columns": columns,
                "keep": keep,
                "prefix": prefix,
                "mode": mode,
                "record": record,
                "slots": slots,
                "key": key,
            },
            Scoring,
        )

    async def stop_deployment(
        self, *, endpoint: str, deployment: str, workspace: str | None = None, reason: str | None = None
    ) -> Endpoint:
        """Stop a deployment; its share of the traffic goes to those that run."""
        return await self._call(
            "serving.stop_deployment",
            {"endpoint": endpoint, "deployment": deployment, "workspace": workspace, "reason": reason},
            Endpoint,
        )

    async def try_endpoint(
        self,
        *,
        endpoint: str,
        row: dict[str, Any],
        workspace: str | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> Trial:
        """Send one row through the gateway with a short-lived key of your own, and show what came back."""
        return await self._call(
            "serving.try_endpoint",
            {"endpoint": endpoint, "row": row, "workspace": workspace, "parameters": parameters},
            Trial,
        )
