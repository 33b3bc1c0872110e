"""Traffic of all endpoints at once, and which series there are: what lists and explorers start from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.monitoring.domain.series import EndpointMetrics, ListMetrics, ListSeries, SeriesName
from aimass.monitoring.service.ground import Part, in_utc
from aimass.monitoring.service.metrics import LATENCY, REQUESTS, read_series, traffic_of
from aimass.monitoring.store import recorded, series

_MOST_VALUES = 200


class Surveys(Part):
    """Use cases that look at everything in a workspace."""

    @use_case("GET /workspaces/{workspace}/metrics", permission="monitoring.read", cli="metrics endpoints")
    def list_metrics(self, who: Principal, command: ListMetrics) -> list[EndpointMetrics]:
        """Return requests per second, latencies and error rates of every endpoint that had traffic, by name."""
        del who
        until = in_utc(command.until) if command.until else self._ground.now()
        times = (until - timedelta(seconds=command.window_s), until)
        with self._database.read() as conn:
            requests = read_series(conn, command.workspace, (REQUESTS, {}), times)
            latencies = read_series(conn, command.workspace, (LATENCY, {}), times)
        names = sorted({labels["endpoint"] for labels, _ in requests if labels.get("endpoint")})
        return [
            EndpointMetrics(
                endpoint=name,
                since=times[0],
                until=until,
                total=traffic_of(
                    [(labels, s) for labels, s in requests if labels.get("endpoint") == name],
                    [
                        (labels, s)
                        for labels, s in latencies
                        if labels.get("endpoint") == name and "shadow" not in labels
                    ],
                    command.window_s,
                ),
                revisions=[],
            )
            for name in names
        ]

    @use_case("GET /workspaces/{workspace}/series-names", permission="monitoring.read", cli="metrics names")
    def list_series(self, who: Principal, command: ListSeries) -> list[SeriesName]:
        """List the series of a workspace by name, with the labels by which they can be narrowed."""
        del who
        place = "" if command.workspace == "*" else command.workspace
        with self._database.read() as conn:
            known = series.all_names(conn, place)
        return [
            SeriesName(name=name, series=len(found), labels=_values(found)) for name, found in sorted(known.items())
        ]

    def served_by(self, who: Principal, workspace: str) -> dict[str, str]:
        """Return the model and version behind each revision of a workspace."""
        who.need("monitoring.read", workspace)
        with self._database.read() as conn:
            return recorded.served_by(conn, workspace)


def _values(found: Iterable[Mapping[str, str]]) -> dict[str, list[str]]:
    """Return the values that each label has, a limited number of them."""
    values: dict[str, set[str]] = {}
    for labels in found:
        for key, value in labels.items():
            values.setdefault(key, set()).add(value)
    return {key: sorted(some)[:_MOST_VALUES] for key, some in sorted(values.items()) if key != "workspace"}
