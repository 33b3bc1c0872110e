"""LitServe with one worker."""

from __future__ import annotations

import os
from typing import Any

import litserve
from session import Session


class Churn(litserve.LitAPI):
    """The model as LitServe wants it."""

    def setup(self, device: str) -> None:
        """Load the model."""
        del device
        self.model = Session()

    def decode_request(self, request):  # LitServe reads a type here as the name of a query parameter
        """Take the row out."""
        return request["row"]

    def predict(self, x: dict[str, Any]) -> dict[str, Any]:
        """Answer a row."""
        return self.model.run(x)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """Send the answer as it is."""
        return output


if __name__ == "__main__":
    server = litserve.LitServer(Churn(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(os.environ["BENCH_PORT"]), log_level="error", generate_client_file=False)
