"""Methods of lifecycle. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from typing import Any, Literal

from aimass.client.calls import AsyncCalls, Calls
from aimass.client.generated.lifecycle_types import LearnerRelease, Pipeline, PipelineRun, Rollout, Trigger
from aimass.kernel.pages import Page


class LifecycleCalls(Calls):
    """Operations of lifecycle."""

    def cancel_run(self, *, run: str, workspace: str | None = None) -> PipelineRun:
        """Stop a run; the step that runs now ends as soon as it looks up."""
        return self._call("lifecycle.cancel_run", {"run": run, "workspace": workspace}, PipelineRun)

    def change_pipeline(
        self,
        *,
        pipeline: str,
        workspace: str | None = None,
        parameters: dict[str, Any] | None = None,
        triggers: list[Trigger] | None = None,
        paused: bool | None = None,
        expected_version: int | None = None,
    ) -> Pipeline:
        """Change parameters or triggers of a pipeline, or pause its triggers."""
        return self._call(
            "lifecycle.change_pipeline",
            {
                "pipeline": pipeline,
                "workspace": workspace,
                "parameters": parameters,
                "triggers": triggers,
                "paused": paused,
                "expected_version": expected_version,
            },
            Pipeline,
        )

    def create_pipeline(
        self,
        *,
        name: str,
        workspace: str | None = None,
        template: str | None = None,
        parameters: dict[str, Any] | None = None,
        triggers: list[Trigger] | None = None,
    ) -> Pipeline:
        """Create a pipeline from a template."""
        return self._call(
            "lifecycle.create_pipeline",
            {
                "name": name,
                "workspace": workspace,
                "template": template,
                "parameters": parameters,
                "triggers": triggers,
            },
            Pipeline,
        )

    def delete_pipeline(self, *, pipeline: str, workspace: str | None = None) -> None:
        """Delete a pipeline; its runs stay on record."""
        return self._call("lifecycle.delete_pipeline", {"pipeline": pipeline, "workspace": workspace}, None)

    def end_release(self, *, learner: str, workspace: str | None = None) -> None:
        """Let snapshots go nowhere any more; what the endpoint answers with stays."""
        return self._call("lifecycle.end_release", {"learner": learner, "workspace": workspace}, None)

    def get_pipeline(self, *, pipeline: str, workspace: str | None = None) -> Pipeline:
        """Show a pipeline."""
        return self._call("lifecycle.get_pipeline", {"pipeline": pipeline, "workspace": workspace}, Pipeline)

    def get_release(self, *, learner: str, workspace: str | None = None) -> LearnerRelease:
        """Show where the snapshots of a learner go, which one the endpoint answers with, and how many rows feedback brought."""
        return self._call("lifecycle.get_release", {"learner": learner, "workspace": workspace}, LearnerRelease)

    def get_rollout(self, *, rollout: str, workspace: str | None = None, reason: str | None = None) -> Rollout:
        """Show a rollout: its steps, what the last look said, and what happened."""
        return self._call(
            "lifecycle.get_rollout", {"rollout": rollout, "workspace": workspace, "reason": reason}, Rollout
        )

    def get_run(self, *, run: str, workspace: str | None = None) -> PipelineRun:
        """Show a run with its steps."""
        return self._call("lifecycle.get_run", {"run": run, "workspace": workspace}, PipelineRun)

    def list_pipelines(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Pipeline]:
        """List the pipelines of a workspace."""
        return self._call(
            "lifecycle.list_pipelines", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Pipeline]
        )

    def list_rollouts(
        self,
        *,
        workspace: str | None = None,
        endpoint: str | None = None,
        state: Literal["DEPLOYING", "RUNNING", "PAUSED", "PROMOTED", "ROLLED_BACK", "FAILED"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Rollout]:
        """List rollouts, the newest first."""
        return self._call(
            "lifecycle.list_rollouts",
            {"workspace": workspace, "endpoint": endpoint, "state": state, "limit": limit, "cursor": cursor},
            Page[Rollout],
        )

    def list_runs(
        self,
        *,
        workspace: str | None = None,
        pipeline: str | None = None,
        state: Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"] | None = None,
        trace: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[PipelineRun]:
        """List runs of pipelines, newest first."""
        return self._call(
            "lifecycle.list_runs",
            {
                "workspace": workspace,
                "pipeline": pipeline,
                "state": state,
                "trace": trace,
                "limit": limit,
                "cursor": cursor,
            },
            Page[PipelineRun],
        )

    def pause_rollout(self, *, rollout: str, workspace: str | None = None, reason: str | None = None) -> Rollout:
        """Let a rollout stay at its step until it is resumed; nothing is promoted or rolled back meanwhile."""
        return self._call(
            "lifecycle.pause_rollout", {"rollout": rollout, "workspace": workspace, "reason": reason}, Rollout
        )

    def promote_rollout(self, *, rollout: str, workspace: str | None = None, reason: str | None = None) -> Rollout:
        """Make the version the main deployment now, whatever its steps say."""
        return self._call(
            "lifecycle.promote_rollout", {"rollout": rollout, "workspace": workspace, "reason": reason}, Rollout
        )

    def resume_rollout(self, *, rollout: str, workspace: str | None = None, reason: str | None = None) -> Rollout:
        """Let a rollout go on; its step begins anew, with its own share of the traffic."""
        return self._call(
            "lifecycle.resume_rollout", {"rollout": rollout, "workspace": workspace, "reason": reason}, Rollout
        )

    def retry_run(self, *, run: str, workspace: str | None = None) -> PipelineRun:
        """Run a failed or cancelled run again from the step that did not finish."""
        return self._call("lifecycle.retry_run", {"run": run, "workspace": workspace}, PipelineRun)

    def roll_back_release(self, *, learner: str, workspace: str | None = None) -> LearnerRelease:
        """Let the endpoint answer with the snapshot before the present one; the next new snapshot may take over again."""
        return self._call("lifecycle.roll_back_release", {"learner": learner, "workspace": workspace}, LearnerRelease)

    def roll_back_rollout(self, *, rollout: str, workspace: str | None = None, reason: str | None = None) -> Rollout:
        """Take the version out now; the main deployment gets all traffic."""
        return self._call(
            "lifecycle.roll_back_rollout", {"rollout": rollout, "workspace": workspace, "reason": reason}, Rollout
        )

    def set_release(
        self,
        *,
        learner: str,
        endpoint: str,
        workspace: str | None = None,
        model: str | None = None,
        feeds: bool | None = None,
    ) -> LearnerRelease:
        """Let each new snapshot of a learner take over an endpoint when its review approves it, and let feedback become its rows."""
        return self._call(
            "lifecycle.set_release",
            {"learner": learner, "endpoint": endpoint, "workspace": workspace, "model": model, "feeds": feeds},
            LearnerRelease,
        )

    def start_rollout(
        self,
        *,
        endpoint: str,
        workspace: str | None = None,
        model_version: int | None = None,
        alias: str | None = None,
        model: str | None = None,
        steps: list[int] | None = None,
        bake_s: int | None = None,
        requests: int | None = None,
        patience_s: int | None = None,
        error_rate_margin: float | None = None,
        latency_ratio: float | None = None,
        latency_margin_s: float | None = None,
        quality_margin: float | None = None,
        promote_alias: str | None = None,
        key: str | None = None,
        reason: str | None = None,
    ) -> Rollout:
        """Bring a version out on an endpoint: a canary whose share grows step by step while it does well."""
        return self._call(
            "lifecycle.start_rollout",
            {
                "endpoint": endpoint,
                "workspace": workspace,
                "model_version": model_version,
                "alias": alias,
                "model": model,
                "steps": steps,
                "bake_s": bake_s,
                "requests": requests,
                "patience_s": patience_s,
                "error_rate_margin": error_rate_margin,
                "latency_ratio": latency_ratio,
                "latency_margin_s": latency_margin_s,
                "quality_margin": quality_margin,
                "promote_alias": promote_alias,
                "key": key,
                "reason": reason,
            },
            Rollout,
        )

    def start_run(
        self,
        *,
        pipeline: str,
        workspace: str | None = None,
        parameters: dict[str, Any] | None = None,
        key: str | None = None,
        cause: str | None = None,
    ) -> PipelineRun:
        """Start a run; the same key twice is one run."""
        return self._call(
            "lifecycle.start_run",
            {"pipeline": pipeline, "workspace": workspace, "parameters": parameters, "key": key, "cause": cause},
            PipelineRun,
        )


class AsyncLifecycleCalls(AsyncCalls):
    """Operations of lifecycle, for asyncio."""

    async def cancel_run(self, *, run: str, workspace: str | None = None) -> PipelineRun:
        """Stop a run; the step that runs now ends as soon as it looks up."""
        return await self._call("lifecycle.cancel_run", {"run": run, "workspace": workspace}, PipelineRun)

    async def change_pipeline(
        self,
        *,
        pipeline: str,
        workspace: str | None = None,
        parameters: dict[str, Any] | None = None,
        triggers: list[Trigger] | None = None,
        paused: bool | None = None,
        expected_version: int | None = None,
    ) -> Pipeline:
        """Change parameters or triggers of a pipeline, or pause its triggers."""
        return await self._call(
            "lifecycle.change_pipeline",
            {
                "pipeline": pipeline,
                "workspace": workspace,
                "parameters": parameters,
                "triggers": triggers,
                "paused": paused,
                "expected_version": expected_version,
            },
            Pipeline,
        )

    async def create_pipeline(
        self,
        *,
        name: str,
        workspace: str | None = None,
        template: str | None = None,
        parameters: dict[str, Any] | None = None,
        triggers: list[Trigger] | None = None,
    ) -> Pipeline:
        """Create a pipeline from a template."""
        return await self._call(
            "lifecycle.create_pipeline",
            {
                "name": name,
                "workspace": workspace,
                "template": template,
                "parameters": parameters,
                "triggers": triggers,
            },
            Pipeline,
        )

    async def delete_pipeline(self, *, pipeline: str, workspace: str | None = None) -> None:
        """Delete a pipeline; its runs stay on record."""
        return await self._call("lifecycle.delete_pipeline", {"pipeline": pipeline, "workspace": workspace}, None)

    async def end_release(self, *, learner: str, workspace: str | None = None) -> None:
        """Let snapshots go nowhere any more; what the endpoint answers with stays."""
        return await self._call("lifecycle.end_release", {"learner": learner, "workspace": workspace}, None)

    async def get_pipeline(self, *, pipeline: str, workspace: str | None = None) -> Pipeline:
        """Show a pipeline."""
        return await self._call("lifecycle.get_pipeline", {"pipeline": pipeline, "workspace": workspace}, Pipeline)

    async def get_release(self, *, learner: str, workspace: str | None = None) -> LearnerRelease:
        """Show where the snapshots of a learner go, which one the endpoint answers with, and how many rows feedback brought."""
        return await self._call("lifecycle.get_release", {"learner": learner, "workspace": workspace}, LearnerRelease)

    async def get_rollout(self, *, rollout: str, workspace: str | None = None, reason: str | None = None) -> Rollout:
        """Show a rollout: its steps, what the last look said, and what happened."""
        return await self._call(
            "lifecycle.get_rollout", {"rollout": rollout, "workspace": workspace, "reason": reason}, Rollout
        )

    async def get_run(self, *, run: str, workspace: str | None = None) -> PipelineRun:
        """Show a run with its steps."""
        return await self._call("lifecycle.get_run", {"run": run, "workspace": workspace}, PipelineRun)

    async def list_pipelines(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Pipeline]:
        """List the pipelines of a workspace."""
        return await self._call(
            "lifecycle.list_pipelines", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Pipeline]
        )

    async def list_rollouts(
        self,
        *,
        workspace: str | None = None,
        endpoint: str | None = None,
        state: Literal["DEPLOYING", "RUNNING", "PAUSED", "PROMOTED", "ROLLED_BACK", "FAILED"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Rollout]:
        """List rollouts, the newest first."""
        return await self._call(
            "lifecycle.list_rollouts",
            {"workspace": workspace, "endpoint": endpoint, "state": state, "limit": limit, "cursor": cursor},
            Page[Rollout],
        )

    async def list_runs(
        self,
        *,
        workspace: str | None = None,
        pipeline: str | None = None,
        state: Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"] | None = None,
        trace: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[PipelineRun]:
        """List runs of pipelines, newest first."""
        return await self._call(
            "lifecycle.list_runs",
            {
                "workspace": workspace,
                "pipeline": pipeline,
                "state": state,
                "trace": trace,
                "limit": limit,
                "cursor": cursor,
            },
            Page[PipelineRun],
        )

    async def pause_rollout(self, *, rollout: str, workspace: str | None = None, reason: str | None = None) -> Rollout:
        """Let a rollout stay at its step until it is resumed; nothing is promoted or rolled back meanwhile."""
        return await self._call(
            "lifecycle.pause_rollout", {"rollout": rollout, "workspace": workspace, "reason": reason}, Rollout
        )

    async def promote_rollout(
        self, *, rollout: str, workspace: str | None = None, reason: str | None = None
    ) -> Rollout:
        """Make the version the main deployment now, whatever its steps say."""
        return await self._call(
            "lifecycle.promote_rollout", {"rollout": rollout, "workspace": workspace, "reason": reason}, Rollout
        )

    async def resume_rollout(self, *, rollout: str, workspace: str | None = None, reason: str | None = None) -> Rollout:
        """Let a rollout go on; its step begins anew, with its own share of the traffic."""
        return await self._call(
            "lifecycle.resume_rollout", {"rollout": rollout, "workspace": workspace, "reason": reason}, Rollout
        )

    async def retry_run(self, *, run: str, workspace: str | None = None) -> PipelineRun:
        """Run a failed or cancelled run again from the step that did not finish."""
        return await self._call("lifecycle.retry_run", {"run": run, "workspace": workspace}, PipelineRun)

    async def roll_back_release(self, *, learner: str, workspace: str | None = None) -> LearnerRelease:
        """Let the endpoint answer with the snapshot before the present one; the next new snapshot may take over again."""
        return await self._call(
            "lifecycle.roll_back_release", {"learner": learner, "workspace": workspace}, LearnerRelease
        )

    async def roll_back_rollout(
        self, *, rollout: str, workspace: str | None = None, reason: str | None = None
    ) -> Rollout:
        """Take the version out now; the main deployment gets all traffic."""
        return await self._call(
            "lifecycle.roll_back_rollout", {"rollout": rollout, "workspace": workspace, "reason": reason}, Rollout
        )

    async def set_release(
        self,
        *,
        learner: str,
        endpoint: str,
        workspace: str | None = None,
        model: str | None = None,
        feeds: bool | None = None,
    ) -> LearnerRelease:
        """Let each new snapshot of a learner take over an endpoint when its review approves it, and let feedback become its rows."""
        return await self._call(
            "lifecycle.set_release",
            {"learner": learner, "endpoint": endpoint, "workspace": workspace, "model": model, "feeds": feeds},
            LearnerRelease,
        )

    async def start_rollout(
        self,
        *,
        endpoint: str,
        workspace: str | None = None,
        model_version: int | None = None,
        alias: str | None = None,
        model: str | None = None,
        steps: list[int] | None = None,
        bake_s: int | None = None,
        requests: int | None = None,
        patience_s: int | None = None,
        error_rate_margin: float | None = None,
        latency_ratio: float | None = None,
        latency_margin_s: float | None = None,
        quality_margin: float | None = None,
        promote_alias: str | None = None,
        key: str | None = None,
        reason: str | None = None,
    ) -> Rollout:
        """Bring a version out on an endpoint: a canary whose share grows step by step while it does well."""
        return await self._call(
            "lifecycle.start_rollout",
            {
                "endpoint": endpoint,
                "workspace": workspace,
                "model_version": model_version,
                "alias": alias,
                "model": model,
                "steps": steps,
                "bake_s": bake_s,
                "requests": requests,
                "patience_s": patience_s,
                "error_rate_margin": error_rate_margin,
                "latency_ratio": latency_ratio,
                "latency_margin_s": latency_margin_s,
                "quality_margin": quality_margin,
                "promote_alias": promote_alias,
                "key": key,
                "reason": reason,
            },
            Rollout,
        )

    async def start_run(
        self,
        *,
        pipeline: str,
        workspace: str | None = None,
        parameters: dict[str, Any] | None = None,
        key: str | None = None,
        cause: str | None = None,
    ) -> PipelineRun:
        """Start a run; the same key twice is one run."""
        return await self._call(
            "lifecycle.start_run",
            {"pipeline": pipeline, "workspace": workspace, "parameters": parameters, "key": key, "cause": cause},
            PipelineRun,
        )
