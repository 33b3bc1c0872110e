"""Settings of the room serving, prefix ``AIMASS_SERVING_``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from aimass.kernel.layout import DataDir


class ServingSettings(BaseSettings):
    """How long starting may take, and how isolated workers are watched."""

    model_config = SettingsConfigDict(env_prefix="AIMASS_SERVING_")

    start_timeout_s: Annotated[float, Field(gt=0, description="A revision not loaded everywhere by then failed")] = 60.0
    start_crashes: Annotated[int, Field(ge=1, description="Crashes of a starting worker that fail its revision")] = 3
    drain_s: Annotated[float, Field(ge=0, description="How long a replaced worker still answers what it has")] = 5.0
    workers: Annotated[
        Literal["own", "kept"],
        Field(description="Whether control keeps the isolated workers itself, or the supervisor"),
    ] = "own"
    spares: Annotated[int, Field(ge=0, le=4, description="Warm processes of each kind that wait to replace one")] = 1
    sandbox: Annotated[
        Literal["auto", "require"],
        Field(description="Whether workers of their own run in a sandbox where there is one, or never without it"),
    ] = "auto"
    scale_up_s: Annotated[
        float, Field(gt=0, description="Time looked back on before a deployment gets more workers")
    ] = 4.0
    scale_down_s: Annotated[
        float, Field(gt=0, description="Time of less load before it loses one, and between two")
    ] = 60.0
    quiet_s: Annotated[float, Field(gt=0, description="Time without a report after which a gateway is gone")] = 5.0
    look_s: Annotated[float, Field(gt=0, description="Everything is looked at this often in any case")] = 2.0
    public_url: Annotated[str, Field(description="Address shown to callers; the platform's own when empty")] = ""


def _scheme() -> str:
    return os.environ.get("AIMASS_SCHEME", "http")


def platform_url() -> str:
    """Return the public address of the platform, as its supervisor tells every process."""
    return f"{_scheme()}://{os.environ.get('AIMASS_HOST', '127.0.0.1')}:{os.environ.get('AIMASS_PORT', '8800')}"


def platform_rpc() -> str:
    """Return the address of gRPC, as the supervisor tells every process; empty where it is off."""
    port = os.environ.get("AIMASS_RPC_PORT", "0")
    return f"{os.environ.get('AIMASS_HOST', '127.0.0.1')}:{port}" if port != "0" else ""


def local_url() -> str:
    """Return the address by which control itself reaches the gateway: the public one, or loopback where that is any.

    Under TLS it is the socket that a worker keeps for the platform itself, which has no certificate to show.
    """
    if _scheme() == "https":
        return f"unix://{DataDir(Path(os.environ['AIMASS_DATA_DIR'])).socket('gateway-0.sock')}"
    host = os.environ.get("AIMASS_HOST", "127.0.0.1")
    reached = "127.0.0.1" if host in ("", "0.0.0.0") else "[::1]" if host == "::" else host  # noqa: S104 compared, not bound
    return f"http://{reached}:{os.environ.get('AIMASS_PORT', '8800')}"
