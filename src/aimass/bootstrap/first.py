"""Create the first administrator: ``python -m aimass.bootstrap.first``; prints name and password as JSON."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import orjson

from aimass.access import Access
from aimass.bootstrap.first_password import NAME, first_password, keep_password
from aimass.bootstrap.logs import set_up_logs
from aimass.bootstrap.settings import read_settings
from aimass.kernel.capability import load
from aimass.kernel.errors import AimassError
from aimass.kernel.lasting import lasting
from aimass.kernel.layout import DataDir


def main() -> int:
    """Create the administrator unless there is one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", type=Path, required=True)
    set_up_logs()
    settings = read_settings(parser.parse_args().data_dir)
    try:
        with lasting():
            platform = load("aimass.bootstrap.platform:open_platform")(settings)
    except AimassError as error:
        print(f"{error.message}. {error.hint}", file=sys.stderr)  # noqa: T201 the caller reads it
        return 1
    layout = DataDir(settings.data_dir)
    platform.registry.get(Access).bootstrap_admin(NAME, partial(keep_password, layout))
    platform.close()
    (layout.run / "administrator").touch()
    print(orjson.dumps(first_password(layout)).decode())  # noqa: T201 the caller reads it
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
