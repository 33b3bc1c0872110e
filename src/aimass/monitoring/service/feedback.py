"""Feedback: the truth about requests, taken at once, brought to the lake by the watch loop."""

from __future__ import annotations

from datetime import timedelta

from aimass.kernel.names import check_slug
from aimass.kernel.pages import Page, encode_cursor
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.monitoring.domain.records import (
    Coverage,
    Feedback,
    FeedbackMark,
    FeedbackReceipt,
    GetCoverage,
    Label,
    ListFeedback,
    SendFeedback,
)
from aimass.monitoring.events import subject
from aimass.monitoring.service.ground import Part
from aimass.monitoring.service.records import not_watched
from aimass.monitoring.store import feedback, recorded

_PUSHED = 20_000
_ASKED = 50_000
_MANY = 1000


class Truths(Part):
    """Use cases of feedback."""

    @use_case(
        "POST /workspaces/{workspace}/endpoints/{endpoint}/feedback",
        permission="monitoring.use",
        on="endpoint",
        cli="feedback send",
    )
    def send_feedback(self, who: Principal, command: SendFeedback) -> FeedbackReceipt:
        """Tell the truth about requests, by request id; the same label again changes nothing, another one replaces it.

        A request whose record has not arrived yet is kept and matched when it does.
        """
        check_slug(command.endpoint, field="endpoint")
        last: dict[tuple[str, int], Label] = {(label.request_id, label.row): label for label in command.labels}
        with self._database.change(who, command.workspace) as change:
            known = feedback.told_of(change.conn, command.workspace, command.endpoint, list(last))
            told = [label for key, label in last.items() if _is_news(label, known.get(key))]
            added = sum((label.request_id, label.row) not in known for label in told)
            if told:
                self._need_endpoint(change, command.workspace, command.endpoint)
                feedback.write(change, command.endpoint, told, known)
                detail = {"labels": len(told), "changed": len(told) - added}
                change.audit("monitoring.feedback.send", object_=subject(command.endpoint), detail=detail)
        self._ground.pulse.touch(command.workspace, command.endpoint)
        return FeedbackReceipt(
            received=len(command.labels),
            added=added,
            changed=len(told) - added,
            repeated=len(command.labels) - len(told),
        )

    @use_case(
        "GET /workspaces/{workspace}/endpoints/{endpoint}/feedback",
        permission="monitoring.read",
        on="endpoint",
        cli="feedback list",
    )
    def list_feedback(self, who: Principal, command: ListFeedback) -> Page[Feedback]:
        """List feedback, newest first; with a request id also what was said before."""
        masked = not who.allows("monitoring.use", command.workspace, subject(command.endpoint))
        with self._database.read() as conn:
            found = feedback.matching(conn, command, masked=masked)
            items = found[: command.limit]
            more = len(found) > command.limit
            return Page(items=items, next=encode_cursor(feedback.seq_of(conn, command, items[-1])) if more else None)

    @use_case(
        "GET /workspaces/{workspace}/endpoints/{endpoint}/feedback/coverage",
        permission="monitoring.read",
        on="endpoint",
        cli="feedback coverage",
    )
    def get_coverage(self, who: Principal, command: GetCoverage) -> Coverage:
        """Show how much of the recorded traffic has its truth, and how much feedback waits for its record."""
        del who
        with self._database.read() as conn:
            row = recorded.endpoint(conn, command.workspace, command.endpoint)
            if row is None:
                raise not_watched(command.endpoint)
            count, known = feedback.counts(conn, command.workspace, command.endpoint)
        share = known / row.rows if row.rows else None
        facts = {"workspace": command.workspace, "endpoint": command.endpoint, "rows": row.rows, "share": share}
        return Coverage(**facts, feedback=count, known=known, unknown=count - known)

    def feedback_mark(self, workspace: str, endpoint: str) -> FeedbackMark:
        """Return how far the feedback of an endpoint is, for rooms that checked the right themselves."""
        with self._database.read() as conn:
            return feedback.mark_of(conn, workspace, endpoint)

    def settle(self, workspace: str, endpoint: str, *, now: bool = False) -> int:
        """Bring new feedback to the lake, and match what waits for its record; return how many were matched.

        A great many labels whose records never come are asked about less often, unless it has to be ``now``.
        """
        key, moment = (workspace, endpoint), self._ground.now()
        with self._ground.computing:
            self._push(workspace, endpoint)
            if not now and moment < self._ground.patience.get(key, moment):
                return 0
            with self._database.read() as conn:
                asked = feedback.pending(conn, workspace, endpoint, _ASKED)
                row = recorded.endpoint(conn, workspace, endpoint)
            if not asked or row is None or not row.requests:
                return 0
            found = self._call("feedback:match", self._tables(workspace, endpoint) | {"asked": asked})["found"]
            if found:
                with self._database.change(SYSTEM, workspace) as change:
                    feedback.mark_known(change, endpoint, found)
            elif len(asked) > _MANY:
                self._ground.patience[key] = moment + timedelta(seconds=len(asked) / _MANY)
            return len(found)

    def _push(self, workspace: str, endpoint: str) -> None:
        """Append what was said since the last time to the lake: the lake first, then the number in the database."""
        while True:
            with self._database.read() as conn:
                row = recorded.endpoint(conn, workspace, endpoint)
                rows = [] if row is None else feedback.unpushed(conn, workspace, endpoint, row.pushed_seq, _PUSHED)
            if not rows:
                return
            lines = [[r.seq, r.request_id, r.row, r.label, int(r.at.timestamp() * 1_000_000), r.key] for r in rows]
            self._call("feedback:push", self._tables(workspace, endpoint) | {"rows": lines})
            with self._database.change(SYSTEM, workspace) as change:
                recorded.put_endpoint(change, workspace, endpoint, self._defaults(), pushed_seq=rows[-1].seq)


def _is_news(label: Label, known: tuple[str, str | None] | None) -> bool:
    """Tell whether a label, or the key that comes with it, says something that is not known."""
    return known is None or known[0] != label.text or (label.key is not None and label.key != known[1])
