"""Runs the function of a job, in the process that may be killed, and writes how it ended."""

from __future__ import annotations

import os
import re
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from aimass.infra.compute.context import Cancelled, JobContext
from aimass.infra.compute.directory import Fenced, JobDirectory
from aimass.infra.compute.files import plain
from aimass.infra.tables import accept
from aimass.kernel.capability import load
from aimass.kernel.errors import AimassError
from aimass.kernel.lasting import lasting

_ENGINES = frozenset({"duckdb", "polars", "deltalake", "pyarrow", "psycopg", "sqlalchemy", "pymysql", "sqlite3"})
_OF_NAMES = frozenset({"ColumnNotFoundError", "SchemaError", "BinderException", "CatalogException", "ParserException"})
_QUOTED = re.compile(r"(in column '[^'\n]*')|(?<!\w)(?:'.*'|\".*\"|\[.*\])(?!\w)", re.DOTALL)
EXIT_FAILED, EXIT_CANCELLED, EXIT_FENCED = 1, 75, 77


def run(directory: JobDirectory, attempt: int, secrets: Mapping[str, Any]) -> NoReturn:
    """Run the job and leave the process at once: threads and exit handlers of user code cannot hold it back."""
    signal.signal(signal.SIGTERM, _stop)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    tempfile.tempdir = str(directory.work)  # what a kill leaves behind goes with the job
    code = 0
    try:
        directory.finish(attempt, _outcome(directory, attempt, secrets))
        code = EXIT_FAILED if (directory.result(attempt) or {}).get("state") != "succeeded" else 0
    except Cancelled:
        code = EXIT_CANCELLED
    except Fenced as reason:
        sys.stderr.write(f"{reason}\n")
        code = EXIT_FENCED
    except OSError as reason:
        sys.stderr.write(f"the result could not be written: {reason}\n")
        code = EXIT_FAILED
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _stop(_sign: int, _frame: object) -> NoReturn:
    raise Cancelled("SIGTERM")


def _outcome(directory: JobDirectory, attempt: int, secrets: Mapping[str, Any]) -> dict[str, Any]:
    try:
        context = JobContext(directory, attempt, secrets=accept(secrets) if secrets else {})
        context.check()
        result = _function(directory.spec()["run"])(context)
        return {"state": "succeeded", "result": _object(result), "usage": usage()}
    except (Exception, SystemExit) as reason:
        if directory.cancel.exists():
            raise Cancelled(directory.path.name) from reason
        sys.stderr.write(trace(reason))
        return {"state": "failed", "error": problem(reason), "usage": usage()}


def _function(name: str) -> Any:
    module, _, function = name.partition(":")
    if not module or not function:
        raise AimassError(f"{name!r} names no function", hint="write 'module:function'", value=name)
    with lasting():
        return load(name)


def _object(result: Any) -> dict[str, Any]:
    if result is None:
        return {}
    if not isinstance(result, dict):
        msg = f"a job returns a JSON object, not a {type(result).__name__}"
        raise TypeError(msg)
    return plain(result)


def problem(reason: BaseException) -> dict[str, Any]:
    """Return an exception as a problem document; foreign ones carry their type, and the last lines where they arose."""
    if isinstance(reason, AimassError):
        return plain({k: v if k != "value" else _shown(v) for k, v in reason.problem().items()})
    if isinstance(reason, SystemExit):
        detail = f"the job called sys.exit({reason.code!r})"
    else:
        detail = f"{type(reason).__name__}: {_without_values(reason)}"
    return {
        "type": "urn:aimass:error:job_failed",
        "title": "JobFailed",
        "status": 500,
        "code": "job_failed",
        "detail": detail[:2000],
        "exception": type(reason).__name__,
        "traceback": trace(reason)[-4000:],
    }


def trace(reason: BaseException) -> str:
    """Return where an exception arose; the words of engines, which quote values of rows, are left out."""
    if not any(map(_is_of_engine, _chain(reason))):
        return "".join(traceback.format_exception(reason))
    frames = traceback.format_tb(reason.__traceback__)
    return f"{''.join(frames)}{type(reason).__name__}: {_without_values(reason)}\n"


def _chain(reason: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    found: BaseException | None = reason
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def _is_of_engine(reason: BaseException) -> bool:
    return type(reason).__module__.lstrip("_").partition(".")[0] in _ENGINES


def _without_values(reason: BaseException) -> str:
    """Leave out what an engine quotes: a cell of somebody's row does not belong into an error, which is kept."""
    text = str(reason)
    if not _is_of_engine(reason) or type(reason).__name__ in _OF_NAMES:
        return text
    return _QUOTED.sub(lambda found: found[1] or "…", text)


def _shown(value: Any) -> Any:
    try:
        return plain(value)
    except TypeError:
        return repr(value)[:200]


def usage() -> dict[str, float]:
    """Return CPU seconds and the largest resident size of this process and its children that ended."""
    own, below = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "cpu_s": round(own.ru_utime + own.ru_stime + below.ru_utime + below.ru_stime, 3),
        "max_rss_bytes": max(own.ru_maxrss, below.ru_maxrss) * unit,
    }
