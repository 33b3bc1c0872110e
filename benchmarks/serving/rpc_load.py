"""Ask a server over gRPC, 16 requests at a time: ``python -m benchmarks.serving.rpc_load PORT ROWS SECONDS KEY``; prints how many."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import cycle
from pathlib import Path
from typing import Any

import grpc.aio

from aimass.gateway.plane.rpc.codec import PROTO

_AT_ONCE = 16


def request_of(body: dict[str, Any]) -> bytes:
    """Return a row as a message of the protocol."""
    message = PROTO.ModelInferRequest(model_name="churn")
    for one in body["inputs"]:
        tensor = message.inputs.add(name=one["name"], datatype=one["datatype"], shape=one["shape"])
        (value,) = one["data"]
        if one["datatype"] == "BYTES":
            tensor.contents.bytes_contents.append(value.encode())
        elif one["datatype"] == "INT64":
            tensor.contents.int64_contents.append(value)
        else:
            tensor.contents.fp32_contents.append(value)
    return message.SerializeToString()


async def load(port: int, rows: list[bytes], seconds: float, key: str) -> int:
    """Ask for so long; return how many answers came."""
    metadata = (("authorization", f"Bearer {key}"),)
    end, turn = time.monotonic() + seconds, cycle(rows)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(f"/{PROTO.service}/ModelInfer")

        async def one() -> int:
            count = 0
            while time.monotonic() < end:
                await call(next(turn), metadata=metadata, timeout=30, wait_for_ready=True)
                count += 1
            return count

        return sum(await asyncio.gather(*(one() for _ in range(_AT_ONCE))))


def main() -> int:
    """Read the rows, and ask."""
    port, rows, seconds, key = sys.argv[1:]
    requests = [request_of(json.loads(line)) for line in Path(rows).read_text().splitlines()]
    print(asyncio.run(load(int(port), requests, float(seconds), key)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
