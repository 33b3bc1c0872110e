"""Read, export and verify the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aimass.access.domain.audit import AuditEntry, AuditLine, AuditStretch, ExportAudit, ListAudit
from aimass.access.domain.chain import START, AuditReport, Head, link
from aimass.access.errors import AuditBroken
from aimass.access.service.ground import Part
from aimass.access.store import audit, rows
from aimass.access.store.tables import audit_heads
from aimass.infra.secrets import Signature, read_private
from aimass.kernel.clock import parse_instant
from aimass.kernel.errors import Invalid
from aimass.kernel.pages import Page, decode_cursor, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case


class Audit(Part):
    """Who did what, and whether anybody changed that afterwards."""

    @use_case("GET /audit", permission="access.manage", cli="audit list")
    def list_audit(self, who: Principal, command: ListAudit) -> Page[AuditEntry]:
        """List the audit log, the newest entry first."""
        del who
        before = _number(command.cursor) if command.cursor else None
        with self._database.read() as conn:
            found = audit.entries(conn, command, before)
        page = page_of(found, command.limit, lambda row: str(row.seq))
        return Page(items=[_entry(row) for row in page.items], next=page.next)

    @use_case("GET /audit/export", permission="access.manage", cli="audit export")
    def export_audit(self, who: Principal, command: ExportAudit) -> AuditStretch:
        """Return a stretch of sealed rows exactly as they are hashed, so that others can verify them."""
        del who
        with self._database.read() as conn:
            before = audit.link_at(conn, command.after) or START
            sealed = {row.seq: row.hash for row in audit.sealed(conn, command.after, command.limit)}
            texts = dict(audit.texts(conn, command.after, command.limit)) if sealed else {}
        lines = [AuditLine(seq=seq, row=texts[seq], hash=hash_) for seq, hash_ in sealed.items() if seq in texts]
        return AuditStretch(before=before, rows=lines, next=lines[-1].seq if len(sealed) == command.limit else None)

    @use_case("GET /audit/verification", permission="access.manage", cli="audit verify")
    def verify_audit(self, who: Principal) -> AuditReport:
        """Check every row against the chain and the chain against its signed heads; fails at the first broken row."""
        del who
        report = self.inspect_audit()
        if not report.ok:
            raise AuditBroken(
                f"the audit log is broken at row {report.broken_row}: {report.reason}",
                value=report.broken_row,
                hint="keep the files as they are, and compare with a backup",
            )
        return report

    def inspect_audit(self) -> AuditReport:
        """Return what a verification finds, good or bad."""
        with self._database.read() as conn:
            checked = _Checked(wanted=frozenset(row.seq for row in rows.every(conn, audit_heads)))
            checked.walk(audit.all_texts(conn), audit.all_links(conn))
            if checked.broken is None:
                self._check_heads(conn, checked)
            return checked.report()

    def _check_heads(self, conn: Any, checked: _Checked) -> None:
        heads = [_head(row) for row in rows.every(conn, audit_heads)]
        anchor = self._anchored()
        for at, head in enumerate(heads, start=1):
            if head.number != at:
                return checked.fail(head.seq, f"the signed head {at} is gone")
            if not self._is_signed(head):
                return checked.fail(head.seq, f"the signature of head {head.number} is wrong")
            if checked.hashes.get(head.seq) != head.hash:
                return checked.fail(
                    min(head.seq, checked.last_seq + 1), f"rows that head {head.number} signed are gone"
                )
            checked.heads, checked.head = checked.heads + 1, head
        if anchor is not None and self._is_signed(anchor) and anchor.number > len(heads):
            return checked.fail(checked.last_seq + 1, "rows that the head beside the database signed are gone")
        return None

    def _is_signed(self, head: Head) -> bool:
        try:
            value = bytes.fromhex(head.signature)
        except ValueError:
            return False
        return self._ground.audit_keys.verify(head.message(), Signature(key=head.key, value=value))

    def _anchored(self) -> Head | None:
        kept = read_private(self._ground.anchor)
        if kept is None:
            return None
        facts = {name: kept[name] for name in ("number", "seq", "rows", "hash", "key")}
        return Head(**facts, time=parse_instant(kept["time"]), signature=kept["sig"])


@dataclass(slots=True, kw_only=True)
class _Checked:
    """What the walk along the chain has seen so far."""

    wanted: frozenset[int]
    rows: int = 0
    sealed: int = 0
    last_seq: int = 0
    heads: int = 0
    head: Head | None = None
    broken: int | None = None
    reason: str = ""
    hashes: dict[int, str] = field(default_factory=dict[int, str])

    def walk(self, texts: Iterator[tuple[int, str | None]], chain: Iterator[tuple[int, str]]) -> None:
        """Compare the rows of the log with the links of the chain, both in order."""
        before = START
        for seq, hash_ in chain:
            found, text = next(texts, (None, None))
            if found is None or found > seq:
                return self.fail(seq, "it is gone")
            self.rows += 1
            if found < seq:
                return self.fail(found, "it was put in afterwards")
            before = link(before, text) if text is not None else ""
            if before != hash_:
                return self.fail(seq, "it was changed")
            self.sealed, self.last_seq = self.sealed + 1, seq
            if seq in self.wanted:
                self.hashes[seq] = hash_
        self.rows += sum(1 for _ in texts)
        return None

    def fail(self, seq: int, reason: str) -> None:
        """Note the first broken row."""
        self.broken, self.reason = seq, reason

    def report(self) -> AuditReport:
        """Return what was found."""
        return AuditReport(
            ok=self.broken is None,
            rows=self.rows,
            sealed=self.sealed,
            heads=self.heads,
            broken_row=self.broken,
            reason=self.reason,
            head=self.head.hash if self.head else START,
            head_time=self.head.time if self.head else None,
        )


def _number(cursor: str) -> int:
    text = decode_cursor(cursor)
    if not text.isdecimal():
        raise Invalid("the cursor is damaged", field="cursor", value=cursor, hint="start again without it")
    return int(text)


def _head(row: Any) -> Head:
    return Head(
        number=row.number,
        seq=row.seq,
        rows=row.rows,
        hash=row.hash,
        time=row.time,
        key=row.key,
        signature=row.signature,
    )


def _entry(row: Any) -> AuditEntry:
    return AuditEntry(
        seq=row.seq,
        id=row.id,
        time=row.time,
        actor_id=row.actor_id,
        actor=row.actor,
        actor_kind=row.actor_kind,
        workspace=row.workspace,
        action=row.action,
        object=row.object,
        detail=row.detail,
        hash=row.hash,
    )
