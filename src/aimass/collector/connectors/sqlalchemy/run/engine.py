"""A database, connected for reading: where it may be, which driver it needs, and what its errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event, exc, pool
from sqlalchemy.engine import URL, make_url

from aimass.collector.connectors.reach import check_host, check_path
from aimass.collector.connectors.sqlalchemy.manifest import Parameters
from aimass.kernel.errors import AimassError, Forbidden, Invalid, MissingExtra, Unavailable

_PATHS = frozenset({"ssl_ca", "ssl_cert", "ssl_key", "sslrootcert", "sslcert", "sslkey"})
_HOSTS = frozenset({"unix_socket", "host"})
_PLAIN = frozenset(
    {
        *("charset", "collation", "ssl_check_hostname", "sslmode", "application_name", "client_encoding"),
        *("driver", "Encrypt", "TrustServerCertificate", "service_name", "encoding"),
    }
)
_EXTRAS = {"pymysql": "connectors", "psycopg": "postgres"}
MYSQL = ("mysql", "mariadb")
_PATIENCE = {"pymysql": "connect_timeout", "psycopg": "connect_timeout", "pyodbc": "timeout", "sqlite": "timeout"}
_REFUSES = ("access denied", "authentication", "password", "login failed", "logon denied", "not authorized")
_MISSES = ("unknown database", "does not exist", "cannot open database", "unable to open database")
_BEGIN: Mapping[str, tuple[str, ...]] = {
    "mysql": (
        "SET time_zone = '+00:00'",  # so that a TIMESTAMP comes in UTC, as every moment without a zone is read
        "SET SESSION net_write_timeout = 3600",  # a commit between two parts may take its time
        "SET SESSION TRANSACTION READ ONLY",
    ),
    "postgresql": ("SET TIME ZONE 'UTC'", "SET default_transaction_read_only = on"),
    "sqlite": ("PRAGMA query_only = 1",),
}


def engine_of(parameters: Parameters) -> sa.Engine:
    """Make an engine that can reach nothing but the host of the address, or a file that connectors may read."""
    url = _address(parameters)
    more: dict[str, Any] = {"poolclass": pool.NullPool}
    patience = _PATIENCE.get(url.get_driver_name() if url.get_backend_name() != "sqlite" else "sqlite")
    more["connect_args"] = {} if patience is None else {patience: parameters.timeout_s}
    if url.get_backend_name() == "sqlite":
        path = check_path(url.database or "", "url")
        more = {**more, "connect_args": {}, "creator": lambda: _opened(str(path), parameters.timeout_s)}
    else:
        _check_reach(url)
        more["connect_args"] |= _pinned(url)
    if parameters.password is not None:
        url = url.set(password=parameters.password.get_secret_value())
    try:
        engine = sa.create_engine(url, **more)
    except ImportError as reason:
        raise _lacking((reason.name or "").partition(".")[0], url) from None
    except (exc.ArgumentError, TypeError, ValueError) as reason:
        raise Invalid(f"the address cannot be used: {str(reason)[:200]}", field="url", value=_shown(url)) from None
    event.listen(engine, "connect", _begin)
    return engine


def _address(parameters: Parameters) -> URL:
    try:
        url = make_url(parameters.url)
        url.get_dialect()
    except exc.NoSuchModuleError:
        dialect = parameters.url.partition("://")[0]
        raise Invalid(
            f"SQLAlchemy has no dialect {dialect!r} here",
            field="url",
            value=dialect,
            hint="install the package that brings it, beside AI Mass",
        ) from None
    except (exc.ArgumentError, ValueError):
        raise Invalid(
            "the address cannot be read", field="url", allowed="dialect+driver://user@host:port/database"
        ) from None
    except ImportError as reason:
        raise _lacking((reason.name or "").partition(".")[0], make_url(parameters.url)) from None
    if url.password is not None:
        raise Invalid(
            "a password stands in the address", field="url", hint="enter it in its own field: it is sealed there"
        )
    return url


def _check_reach(url: URL) -> None:
    """Look at everything in an address that leads somewhere."""
    for name, value in url.query.items():
        for one in (value,) if isinstance(value, str) else value:
            if name in _PATHS:
                check_path(one, "url")
            elif name in _HOSTS:
                check_host(one, "url")
            elif name not in _PLAIN:
                raise Invalid(
                    f"the address has an option {name!r} that is not known",
                    field="url",
                    value=name,
                    allowed=sorted(_PLAIN | _PATHS | _HOSTS),
                )
    if url.host:
        for host in url.host.split(","):
            check_host(host, "url")
    elif not _HOSTS & set(url.query):
        raise Invalid(
            "the address names no host", field="url", value=_shown(url), allowed="dialect://user@host/database"
        )


def _pinned(url: URL) -> dict[str, str]:
    """Give libpq, which looks names up by itself, the addresses that were checked."""
    if url.get_driver_name() != "psycopg" or not url.host or "host" in url.query:
        return {}
    pairs = [(host, address) for host in url.host.split(",") for address in check_host(host, "url")]
    if not pairs:
        return {}
    return {"host": ",".join(host for host, _ in pairs), "hostaddr": ",".join(address for _, address in pairs)}


def _opened(path: str, timeout_s: float) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=timeout_s, check_same_thread=False)


def _lacking(module: str, url: URL) -> AimassError:
    if module in _EXTRAS:
        return MissingExtra(_EXTRAS[module])
    return Invalid(
        f"the driver {module!r} of {url.drivername!r} is not installed",
        field="url",
        value=url.drivername,
        hint=f"pip install {module}, or choose pymysql (aimass[connectors]) or psycopg (aimass[postgres])",
    )


def _shown(url: URL) -> str:
    return url.set(query={}).render_as_string(hide_password=True)


def _begin(connection: Any, _record: Any) -> None:
    """Say once for a connection that it only reads, and that its moments are in UTC."""
    module = type(connection).__module__.partition(".")[0]
    dialect = {"pymysql": "mysql", "psycopg": "postgresql", "sqlite3": "sqlite"}.get(module, "")
    cursor = connection.cursor()
    try:
        for statement in _BEGIN.get(dialect, ()):
            cursor.execute(statement)
        if dialect == "postgresql":
            connection.commit()
    finally:
        cursor.close()


@contextmanager
def told_clearly() -> Iterator[None]:
    """Turn the errors of a driver into ours; the text of a statement and its values do not come along."""
    try:
        yield
    except ImportError as reason:
        raise MissingExtra(_EXTRAS.get((reason.name or "").partition(".")[0], "connectors")) from None
    except exc.DataError as reason:
        raise _without_value(reason) from None
    except exc.SQLAlchemyError as reason:
        raise _told(reason) from None


def _without_value(reason: exc.DataError) -> Invalid:
    """Name an error whose words quote what stands in a row by its kind and code alone."""
    first = next(iter(getattr(reason.orig, "args", ())), "")
    code = getattr(reason.orig, "sqlstate", None) or (first if isinstance(first, int) else "")
    known = f", {code}" if code else ""
    return Invalid(f"the database cannot give a value: {type(reason.orig).__name__}{known}", field="stream")


def _told(reason: exc.SQLAlchemyError) -> AimassError:
    told = " ".join(str(getattr(reason, "orig", None) or reason).split())[:300]
    low = told.lower()
    if any(mark in low for mark in _MISSES):
        return Invalid(f"the database is not there: {told}", field="url", hint="what is it called on the server?")
    if "command denied" in low or "permission denied" in low:
        return Forbidden(f"the account may not read it: {told}", field="stream", hint="GRANT SELECT")
    if any(mark in low for mark in _REFUSES):
        return Forbidden(f"the database refuses: {told}", field="password", hint="check user, password and rights")
    if isinstance(reason, exc.OperationalError | exc.InterfaceError | exc.InternalError | exc.TimeoutError):
        return Unavailable(f"the database does not answer: {told}", field="url")
    if isinstance(reason, exc.DBAPIError) and reason.connection_invalidated:
        return Unavailable(f"the database went away: {told}", field="url")
    return Invalid(f"the database cannot do it: {told}", field="stream")
