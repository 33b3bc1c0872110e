"""``python -m aimass.gateway.plane --data-dir D --host 127.0.0.1 --port P --worker 0``."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from aimass.gateway.plane.server import serve
from aimass.gateway.settings import GatewaySettings
from aimass.infra.parent import die_with_parent
from aimass.kernel.errors import AimassError


def main() -> int:
    """Run one gateway worker."""
    parser = argparse.ArgumentParser(prog="python -m aimass.gateway.plane", description="Run one gateway worker.")
    parser.add_argument("--data-dir", type=Path, required=True, help="data directory of the platform")
    parser.add_argument("--host", help="address to serve on")
    parser.add_argument("--port", type=int, help="port to serve on; 0 lets the system choose")
    parser.add_argument("--listen-fd", type=int, help="number of an inherited socket to serve on")
    parser.add_argument("--grpc-port", type=int, help="port of gRPC; 0 lets the system choose, -1 is for none")
    parser.add_argument("--worker", type=int, help="number of this worker")
    parser.add_argument("--workers", type=int, help="how many workers share the port")
    parser.add_argument("--parent-pid", type=int, help="end at once when this parent is gone already")
    parser.add_argument("--detached", action="store_true", help="go on when the parent ends")
    arguments = vars(parser.parse_args())
    parent_pid, is_detached = arguments.pop("parent_pid"), arguments.pop("detached")
    if not is_detached:
        die_with_parent(parent_pid)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        serve(GatewaySettings.from_environment(**arguments))
    except AimassError as error:
        sys.stderr.write(f"{error.message}; {error.hint}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
