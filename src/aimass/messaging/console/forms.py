"""What the forms of the room share."""

from __future__ import annotations

import json
from typing import Any

from aimass.kernel.errors import Invalid
from aimass.web import PageVisit


def json_of(visit: PageVisit, text: str, field: str) -> Any:
    """Read JSON that a person wrote; an empty text is null."""
    try:
        return json.loads(text) if text.strip() else None
    except ValueError as reason:
        raise Invalid(visit.say("This is no JSON: %(reason)s", reason=reason), field=field) from reason
