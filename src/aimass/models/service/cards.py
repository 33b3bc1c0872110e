"""Model cards: read and edit."""

from __future__ import annotations

import re
from typing import Any

from aimass.kernel.clock import instant
from aimass.kernel.errors import Invalid
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.models.cards import card_of
from aimass.models.domain import Card, EditCard, OneVersion
from aimass.models.events import CARD_CHANGED
from aimass.models.service.ground import Part, need_fresh, need_version
from aimass.models.store import find_card, put_card

_SECTION = re.compile(r"[a-z][a-z0-9_]{0,62}")


class Cards(Part):
    """What facts and people say of a version."""

    @use_case(
        "GET /workspaces/{workspace}/models/{model}/versions/{number}/card",
        permission="models.read",
        cli="models card",
        on="model",
    )
    def get_card(self, who: Principal, command: OneVersion) -> Card:
        """Show the model card of a version."""
        del who
        with self._database.read() as conn:
            version = need_version(conn, command.workspace, command.model, command.number)
            row = find_card(conn, command)
        return card_of(version, row.sections if row else {}, row.version if row else 0)

    @use_case(
        "PUT /workspaces/{workspace}/models/{model}/versions/{number}/card/{section}",
        permission="models.edit",
        cli="models edit-card",
        on="model",
    )
    def edit_card(self, who: Principal, command: EditCard) -> Card:
        """Write a section of a card; an empty text gives the facts their word back."""
        if not _SECTION.fullmatch(command.section):
            raise Invalid(
                f"section {command.section!r} is not allowed",
                field="section",
                value=command.section,
                allowed="small letters, digits and _",
            )
        with self._database.change(who, command.workspace) as change:
            version = need_version(change.conn, command.workspace, command.model, command.number)
            row = find_card(change.conn, command)
            sections: dict[str, dict[str, Any]] = dict(row.sections) if row else {}
            number = row.version if row else 0
            need_fresh(number, command.expected_version)
            stored = {k: v for k, v in sections.pop(command.section, {}).items() if k == "facts"}
            if command.text.strip():
                mark = {"text": command.text, "title": command.title, "by": who.name, "at": instant(change.now)}
                stored |= {k: v for k, v in mark.items() if v is not None}
            if stored:
                sections[command.section] = stored
            put_card(change, command, sections, number + 1)
            change.audit("models.card.edit", object_=version.subject, detail={"section": command.section})
            change.event(CARD_CHANGED, subject=version.subject, data={"section": command.section})
            return card_of(version, sections, number + 1)
