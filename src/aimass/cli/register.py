"""``aimass register``: put a server of a service behind the gateway, and keep it there until stopped."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from aimass.cli.connect import Connection, connection_options
from aimass.cli.show import show
from aimass.kernel.errors import Conflict, NotFound

if TYPE_CHECKING:
    from aimass.client import Client


@click.command(
    help="Register a server of a service at the gateway, and send heartbeats until Ctrl-C; then it is taken away. "
    "The service is made when there is none, and with --route an address for it, too."
)
@click.argument("service")
@click.argument("address")
@click.option("--weight", type=click.IntRange(1, 100), default=1, help="Its share, against the others.")
@click.option(
    "--lease",
    "lease_s",
    type=click.FloatRange(1, 86400),
    default=30.0,
    help="Seconds without a heartbeat until it is gone.",
)
@click.option("--route", is_flag=True, help="Also make the address /s/<workspace>/<service>, when there is none.")
@click.option("--public", is_flag=True, help="With --route: callers need no key.")
def _register(service: str, address: str, connection: Connection, **given: Any) -> None:
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    with connection.open() as client:
        _need_upstream(client, service)
        if given["route"]:
            _need_route(client, service, is_public=given["public"])
        with client.register(
            service,
            address,
            weight=given["weight"],
            lease_s=given["lease_s"],
            told=lambda text: click.echo(text, err=True),
        ) as registration:
            show(registration.instance, as_json=connection.as_json)
            over.wait()


def _need_upstream(client: Client, name: str) -> None:
    try:
        client.gateway.get_upstream(upstream=name)
    except NotFound:
        with _made_meanwhile("upstream"):
            client.gateway.create_upstream(upstream=name)


def _need_route(client: Client, name: str, *, is_public: bool) -> None:
    try:
        client.gateway.get_route(route=name)
    except NotFound:
        with _made_meanwhile("route"):
            client.gateway.create_route(route=name, upstream=name, access="public" if is_public else "key")


@contextmanager
def _made_meanwhile(field: str) -> Iterator[None]:
    """Go on where another server of the service, started at the same moment, was first."""
    try:
        yield
    except Conflict as error:
        if error.field != field:
            raise


register = connection_options(_register)
