"""Records as the gateway writes them."""

from __future__ import annotations

from typing import Any

START = 1_780_000_000.0


def make_record(number: int, **fields: Any) -> dict[str, Any]:
    """One record as the gateway writes it, for customer ``number``."""
    return {
        "id": f"01JZ{number:022d}",
        "t": START + number,
        "workspace": "demo",
        "endpoint": "churn",
        "deployment": "champion",
        "revision": "rev-1",
        "model": "churn",
        "version": "1",
        "consumer": "shop",
        "status": 200,
        "latency_us": 300,
        "rows": 1,
        "inputs": {"tenure": [number % 72], "Contract": [["Month-to-month", "One year", "Two year"][number % 3]]},
        "outputs": {
            "label": ["Yes" if number % 4 == 0 else "No"],
            "probabilities": [[0.25, 0.75] if number % 4 == 0 else [0.9, 0.1]],
        },
        "unseen": [],
        **fields,
    }


def make_records(*numbers: int, **fields: Any) -> list[dict[str, Any]]:
    return [make_record(number, **fields) for number in numbers]
