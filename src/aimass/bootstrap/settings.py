"""Settings of the platform: arguments of the command line over ``AIMASS_*`` of the environment over the defaults."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from aimass.gateway import GatewaySettings

_LAST_PORT = 65_535
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8800


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformSettings:
    """How one platform runs.

    Attributes
    ----------
    data_dir
        Folder with all data of the platform; ``AIMASS_DATA_DIR``.
    host, port
        Public address; ``AIMASS_HOST``, ``AIMASS_PORT``. Loopback unless told otherwise.
    grpc_port, grpc_is_named
        Port of gRPC on the same host, 0 where it is off; ``AIMASS_GRPC_PORT``, else the one after the public port. A
        platform starts without gRPC when that is taken, but not when the port was named.
    database
        SQLAlchemy URL; empty means SQLite in the data directory; ``AIMASS_DB``.
    blobs
        ``s3://bucket/prefix`` of an object store; empty means a folder of the data directory; ``AIMASS_BLOBS``.
    lake
        The same for the tables of the lake; ``AIMASS_LAKE``.
    gateways
        Number of gateway workers; ``AIMASS_GATEWAYS``.
    is_tls
        The public port and gRPC speak TLS; ``AIMASS_GATEWAY_TLS_CERTIFICATE`` and ``AIMASS_GATEWAY_TLS_KEY``.
    segment_age_s, flush_s
        Seconds after which records are handed to the lake, and between two flushes of the series.
    """

    data_dir: Path
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    grpc_port: int = 0
    grpc_is_named: bool = False
    database: str = ""
    blobs: str = ""
    lake: str = ""
    gateways: int = 1
    is_tls: bool = False
    segment_age_s: float = 10.0
    flush_s: float = 10.0

    @property
    def scheme(self) -> str:
        """What stands before the public address."""
        return "https" if self.is_tls else "http"

    def on_files(self, data_dir: Path) -> PlatformSettings:
        """Return the settings of the same platform on the files of another folder alone."""
        return replace(self, data_dir=data_dir, database="", blobs="", lake="")

    @property
    def url(self) -> str:
        """The public address."""
        return f"{self.scheme}://{self.host}:{self.port}"


def _next(port: int) -> int:
    """Return the port after one; 0 where there is none."""
    return port + 1 if 0 < port < _LAST_PORT else 0


def read_settings(
    data_dir: Path | None = None, host: str | None = None, port: int | None = None, grpc_port: int | None = None
) -> PlatformSettings:
    """Read the settings; arguments win."""
    env = os.environ
    port = port if port is not None else int(env.get("AIMASS_PORT", DEFAULT_PORT))
    named = env.get("AIMASS_GRPC_PORT")
    if grpc_port is None and named is not None:
        grpc_port = int(named)
    root = data_dir or Path(env.get("AIMASS_DATA_DIR", Path.home() / ".local" / "share" / "aimass"))
    return PlatformSettings(
        data_dir=root.expanduser().absolute(),
        host=host or env.get("AIMASS_HOST", DEFAULT_HOST),
        port=port,
        grpc_port=_next(port) if grpc_port is None else grpc_port,
        grpc_is_named=grpc_port is not None,
        database=env.get("AIMASS_DB", ""),
        blobs=env.get("AIMASS_BLOBS", ""),
        lake=env.get("AIMASS_LAKE", ""),
        gateways=int(env.get("AIMASS_GATEWAYS", "1")),
        is_tls=GatewaySettings.from_environment(data_dir=root).is_tls,
        segment_age_s=float(env.get("AIMASS_SEGMENT_AGE_S", "10")),
        flush_s=float(env.get("AIMASS_FLUSH_S", "10")),
    )


def child_environment(settings: PlatformSettings) -> dict[str, str]:
    """Return the environment of the processes that the supervisor starts."""
    return {
        **os.environ,
        "AIMASS_DATA_DIR": str(settings.data_dir),
        "AIMASS_HOST": settings.host,
        "AIMASS_PORT": str(settings.port),
        "AIMASS_SCHEME": settings.scheme,
        "AIMASS_SEGMENT_AGE_S": str(settings.segment_age_s),
        "AIMASS_FLUSH_S": str(settings.flush_s),
        "AIMASS_GATEWAY_SEGMENT_AGE_S": str(settings.segment_age_s),
        "AIMASS_GATEWAY_FLUSH_S": str(settings.flush_s),
        "AIMASS_SERVING_WORKERS": "kept",
    }
