"""Runs the function of a job, in the process that may be killed, and writes how it ended."""

from __future__ import annotations

import os
import resource
import signal
import sys
import traceback
from collections.abc import Mapping
from typing import Any, NoReturn

from aimass.infra.compute.context import Cancelled, JobContext
from aimass.infra.compute.directory import Fenced, JobDirectory
from aimass.infra.compute.files import plain
from aimass.infra.tables import accept
from aimass.kernel.capability import load
from aimass.kernel.errors import AimassError
from aimass.kernel.lasting import lasting

EXIT_FAILED, EXIT_CANCELLED, EXIT_FENCED = 1, 75, 77


def run(directory: JobDirectory, attempt: int, secrets: Mapping[str, Any]) -> NoReturn:
    """Run the job and leave the process at once: threads and exit handlers of user code cannot hold it back."""
    signal.signal(signal.SIGTERM, _stop)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
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
        traceback.print_exc()
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
        detail = f"{type(reason).__name__}: {reason}"
    lines = traceback.format_exception(reason)
    return {
        "type": "urn:aimass:error:job_failed",
        "title": "JobFailed",
        "status": 500,
        "code": "job_failed",
        "detail": detail[:2000],
        "exception": type(reason).__name__,
        "traceback": "".join(lines)[-4000:],
    }


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
