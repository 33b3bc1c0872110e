"""Ray Serve with one replica."""

from __future__ import annotations

import os
import time
from typing import Any

import ray
from ray import serve
from session import Session
from starlette.requests import Request


@serve.deployment(num_replicas=1, ray_actor_options={"num_cpus": 0.5}, max_ongoing_requests=128)
class Churn:
    """The model as Ray Serve wants it."""

    def __init__(self) -> None:
        self.model = Session()

    async def __call__(self, request: Request) -> dict[str, Any]:
        """Answer the row of a request."""
        return self.model.run((await request.json())["row"])


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["BENCH_PORT"])})
    serve.run(Churn.bind(), route_prefix="/predict")
    while True:
        time.sleep(3600)
