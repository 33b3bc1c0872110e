"""The commands that act on this machine and not through the SDK: up, run, demo, doctor, backup, restore."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import orjson

from aimass.bootstrap.first_password import first_password, forget_password
from aimass.bootstrap.ports import wanted_rpc
from aimass.bootstrap.settings import PlatformSettings, read_settings
from aimass.bootstrap.supervisor import Supervisor, control_command, gateway_command
from aimass.bootstrap.waiting import wait_until_ready
from aimass.cli.progress import progress
from aimass.cli.show import show
from aimass.kernel.capability import load
from aimass.kernel.layout import DataDir

_DATA = click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Folder of the platform [env AIMASS_DATA_DIR]."
)
_PORT = click.option("--port", type=int, help="Public port [default 8800, env AIMASS_PORT].")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
_GRPC_PORT = click.option(
    "--grpc-port",
    type=click.IntRange(0, 65535),
    help="Port of gRPC, 0 for none [default the one after --port, env AIMASS_GRPC_PORT].",
)
_HOST = click.option("--host", help="Address to listen on [default 127.0.0.1].")


def first_administrator(settings: PlatformSettings) -> dict[str, str] | None:
    """Create the administrator of a new platform in a process of its own; None when his password was shown already."""
    layout = DataDir(settings.data_dir)
    if (layout.run / "administrator").exists():
        return first_password(layout)
    command = [sys.executable, "-m", "aimass.bootstrap.first", "--data-dir", str(settings.data_dir)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise click.ClickException(
            done.stderr.decode().strip().splitlines()[-1] if done.stderr else "the first start failed"
        )
    return orjson.loads(done.stdout) or None


def start(settings: PlatformSettings) -> tuple[Supervisor, dict[str, str] | None]:
    """Start a platform and wait until it answers."""
    supervisor = Supervisor(settings)
    supervisor.prepare()
    administrator = first_administrator(settings)
    supervisor.start()
    wait_until_ready(supervisor, settings)
    return supervisor, administrator


@click.command(help="Start the platform on this machine, in the foreground.")
@_DATA
@_PORT
@_HOST
@_GRPC_PORT
@click.option("--quiet", is_flag=True, help="Say nothing.")
def up(data_dir: Path | None, port: int | None, host: str | None, grpc_port: int | None, *, quiet: bool) -> None:
    """Start the platform and keep it alive until Ctrl-C."""
    settings = read_settings(data_dir, host, port, grpc_port)
    began = time.monotonic()
    with progress("starting", quiet=quiet):
        supervisor, administrator = start(settings)
    if not quiet:
        click.echo(f"AI Mass is ready after {time.monotonic() - began:.1f} s: {settings.url}")
        click.echo(supervisor.rpc.sentence)
        click.echo(f"data directory: {settings.data_dir}")
        if administrator:
            click.echo(
                f"sign in as {administrator['name']!r} with the password {administrator['password']} (shown only now)"
            )
            forget_password(DataDir(settings.data_dir))
        click.echo("stop with Ctrl-C")
    supervisor.run()


@click.command(help="Run one role alone, for scale-out: gateway or control.")
@click.argument("role", type=click.Choice(["gateway", "control"]))
@_DATA
@_PORT
@_HOST
@_GRPC_PORT
@click.option("--worker", type=int, default=0, help="Number of this gateway worker.")
def run(
    role: str, data_dir: Path | None, port: int | None, host: str | None, grpc_port: int | None, worker: int
) -> None:
    """Replace this process by the role."""
    settings = read_settings(data_dir, host, port, grpc_port)
    command = control_command(settings)
    if role == "gateway":
        command = gateway_command(settings, worker, grpc_port=wanted_rpc(settings).port)
    os.execv(command[0], command)  # noqa: S606 our own role


@click.command(help="Run the whole main job on the Telco churn data, with progress on screen.")
@_DATA
@_PORT
@click.option("--exit", "leave", is_flag=True, help="Stop the platform at the end.")
@click.option("--browser/--no-browser", default=True, help="Open the console at the end.")
def demo(data_dir: Path | None, port: int | None, *, leave: bool, browser: bool) -> None:
    """Tell the story from a CSV to a retrained service."""
    raise click.exceptions.Exit(load("aimass.bootstrap.demo:tell")(data_dir, port, leave=leave, browser=browser))


@click.command(help="Say what is wrong with this installation.")
@_DATA
@_PORT
@_JSON
def doctor(data_dir: Path | None, port: int | None, *, as_json: bool) -> None:
    """Check the installation and the data directory."""
    raise click.exceptions.Exit(
        load("aimass.bootstrap.doctor.examination:report")(read_settings(data_dir, None, port), as_json=as_json)
    )


@click.command(help="Write a backup of the platform into a folder; it may go on running.")
@click.argument("target", type=click.Path(path_type=Path))
@_DATA
@_JSON
def backup(target: Path, data_dir: Path | None, *, as_json: bool) -> None:
    """Back up the databases at one moment, then the files that they name."""
    make = load("aimass.bootstrap.backup:backup")
    with _interruptible(), progress("backup", quiet=as_json) as told:
        made = make(read_settings(data_dir), target, told)
    _say(made, as_json=as_json)


@click.command(help="Restore a backup into an empty data directory, and verify the audit log.")
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False))
@_DATA
@click.option(
    "--erasures",
    type=click.Path(path_type=Path, exists=True),
    help="The data directory that the backup came from, or its erasures.ndjson: newer erasures are carried out again.",
)
@_JSON
def restore(source: Path, data_dir: Path | None, erasures: Path | None, *, as_json: bool) -> None:
    """Restore, verify, and carry out again what was erased since."""
    lay = load("aimass.bootstrap.backup:restore")
    with _interruptible(), progress("restore", quiet=as_json) as told:
        done = lay(source, read_settings(data_dir), told, erasures)
    _say(done, as_json=as_json)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM clean up like Ctrl-C, and no library speak in between."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    load("aimass.bootstrap.logs:set_up_logs")(logging.WARNING)
    yield


def _say(result: object, *, as_json: bool) -> None:
    if as_json:
        show(result, as_json=True)
    else:
        click.echo(str(result))
