"""Shadows: what the gateway counted of a second answer to the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.monitoring.domain.series import Sample, total
from aimass.monitoring.domain.shadows import GetShadow, ShadowReport, shadow_of
from aimass.monitoring.service.ground import Part, in_utc
from aimass.monitoring.service.metrics import Found, read_series
from aimass.monitoring.store import monitors, recorded

ROWS, DIFFERENCE, SECONDS = "gateway_shadow_rows", "gateway_shadow_difference", "gateway_shadow_seconds"


class Shadows(Part):
    """Use cases of shadows."""

    @use_case(
        "GET /workspaces/{workspace}/endpoints/{endpoint}/shadow",
        permission="monitoring.read",
        on="endpoint",
        cli="metrics shadow",
    )
    def get_shadow(self, who: Principal, command: GetShadow) -> ShadowReport:
        """Compare the shadow of an endpoint with what was answered: labels, probabilities and time, on the same rows."""
        del who
        until = in_utc(command.until) if command.until else self._ground.now()
        times, labels = (until - timedelta(seconds=command.window_s), until), {"endpoint": command.endpoint}
        with self._database.read() as conn:
            rows, apart, seconds = (
                read_series(conn, command.workspace, (name, labels), times) for name in (ROWS, DIFFERENCE, SECONDS)
            )
            named = {
                row.revision: row.deployment for row in recorded.traffic_of(conn, command.workspace, command.endpoint)
            }
            watched = monitors.watching(conn, command.workspace, command.endpoint)
            named |= {row.revision: row.deployment for row in watched}
        pairs = sorted({_pair(found) for found, _ in rows})
        shadows = [
            replace(
                shadow_of(pair, _outcomes(rows, pair), _sum(apart, pair), _roles(seconds, pair)),
                deployment=named.get(pair[0], ""),
                shadow_deployment=named.get(pair[1], ""),
            )
            for pair in pairs
        ]
        return ShadowReport(endpoint=command.endpoint, since=times[0], until=until, shadows=shadows)


def _pair(labels: Mapping[str, str]) -> tuple[str, str]:
    return labels.get("revision", ""), labels.get("shadow", "")


def _outcomes(found: Found, pair: tuple[str, str]) -> dict[str, float]:
    counts: dict[str, float] = {}
    for labels, sample in found:
        if _pair(labels) == pair:
            counts[labels["outcome"]] = counts.get(labels["outcome"], 0) + sample.count
    return counts


def _sum(found: Found, pair: tuple[str, str], role: str | None = None) -> Sample:
    return total(s for labels, s in found if _pair(labels) == pair and labels.get("role") == role)


def _roles(found: Found, pair: tuple[str, str]) -> tuple[Sample, Sample]:
    return _sum(found, pair, "given"), _sum(found, pair, "shadow")
