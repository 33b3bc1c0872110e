"""FastAPI as people write it: with ``def``, which runs in its thread pool, and with ``async def``."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from session import Session

model = Session()
blocking, direct = FastAPI(), FastAPI()


class Request(BaseModel):
    """What is sent."""

    row: dict[str, Any]


@blocking.post("/predict")
def predict(request: Request) -> dict[str, Any]:
    return model.run(request.row)


@direct.post("/predict")
async def predict_directly(request: Request) -> dict[str, Any]:
    return model.run(request.row)
