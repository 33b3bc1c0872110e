"""BentoML's quickest way: an asynchronous service, plain types, logs, metrics and traces off."""

from __future__ import annotations

from typing import Any

import bentoml
from session import Session


@bentoml.service(
    workers=1,
    traffic={"timeout": 60},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Churn:
    """The model as BentoML wants it."""

    def __init__(self) -> None:
        self.model = Session()

    @bentoml.api
    async def predict(self, row: dict[str, Any]) -> dict[str, Any]:
        """Answer a row."""
        return self.model.run(row)
