"""A warm child: short calls of heavy libraries without their start-up time, and outside the platform's own process."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from aimass.infra.compute.confiding import handed_over
from aimass.infra.compute.frames import receive, send
from aimass.infra.compute.processes import signal_group
from aimass.kernel.errors import AimassError, Conflict, Failed, Invalid, Unavailable

_LOG_LIMIT_BYTES = 4 * 2**20
_EXIT_S = 5.0


class Stop:
    """Ends a call from another thread; the child that runs it is killed, the next call gets a new one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid: int | None = None
        self.is_stopped = False

    def stop(self) -> None:
        """End the call now, or before it begins."""
        with self._lock:
            self.is_stopped = True
            if self._pid is not None:
                signal_group(self._pid, signal.SIGKILL)

    @contextmanager
    def watching(self, pid: int) -> Iterator[None]:
        """Know the child while it runs the call."""
        with self._lock:
            if self.is_stopped:
                raise Conflict("the call was stopped")
            self._pid = pid
        try:
            yield
        finally:
            with self._lock:
                self._pid = None
                was_stopped = self.is_stopped
        if was_stopped:  # whatever it answered: its child is gone, or about to be
            raise Conflict("the call was stopped")


class _Child:
    """One process, the socket to it, and its folder for temporary files, which goes with it."""

    def __init__(self, environment: Mapping[str, str], log: Path, secrets: Mapping[str, Any]) -> None:
        self._scratch = tempfile.mkdtemp(prefix="aimass-data-")
        self._socket, theirs = socket.socketpair()
        fresh = "wb" if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES else "ab"
        with theirs, log.open(fresh) as output, self._gone_if_it_fails(), handed_over(secrets) as whispers:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "aimass.infra.compute.server", str(theirs.fileno()), self._scratch]
                + [str(whisper) for whisper in whispers],
                env={**environment, "TMPDIR": self._scratch},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(theirs.fileno(), *whispers),
                start_new_session=True,
            )
        self.pid = self._process.pid
        self.idle_since = time.monotonic()

    @contextmanager
    def _gone_if_it_fails(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            shutil.rmtree(self._scratch)
            raise

    def is_alive(self) -> bool:
        """Tell whether the process runs."""
        return self._process.poll() is None

    def call(self, function: str, args: Mapping[str, Any], timeout_s: float) -> dict[str, Any] | None:
        """Return the answer, or None when the child died; TimeoutError when it took too long."""
        self._socket.settimeout(timeout_s)
        try:
            send(self._socket, {"function": function, "args": dict(args)})
        except ConnectionError:
            return None
        return receive(self._socket)

    def end(self) -> int:
        """Kill the process and all it started; return its exit code."""
        if self._socket.fileno() >= 0:
            self._socket.close()
            signal_group(self.pid, signal.SIGKILL)
        code = self._process.wait(_EXIT_S)
        shutil.rmtree(self._scratch, ignore_errors=True)
        return code


class WarmChild:
    """Runs ``module:function`` with JSON arguments in a child that stays warm.

    The first call starts the child, a time without calls ends it. Calls of several threads queue up; a call that finds
    all children busy starts one more, up to ``size``. A call that takes too long, or whose child dies, raises
    :class:`~aimass.kernel.errors.Unavailable`; the next call gets a new child.

    Parameters
    ----------
    log
        File that takes what the children print.
    environment
        What the children see of the environment.
    threads
        Threads that numeric libraries may use in each child.
    size
        Largest number of children.
    idle_s
        Time without calls after which a child ends.
    secrets
        What each child is told in memory: where the tables of the lake lie.

    Examples
    --------
    >>> import tempfile
    >>> from aimass.infra.compute import child_environment
    >>> child = WarmChild(Path(tempfile.mkdtemp(), "log"), environment=child_environment())
    >>> child.call("aimass.infra.compute.contract:echo_call", {"word": "客户"})
    {'word': '客户'}
    >>> child.close()
    """

    def __init__(
        self,
        log: Path,
        *,
        environment: Mapping[str, str],
        threads: int | None = None,
        size: int = 1,
        idle_s: float = 300.0,
        secrets: Mapping[str, Any] | None = None,
    ) -> None:
        self._secrets = dict(secrets or {})
        caps = {} if threads is None else dict.fromkeys(("OMP_NUM_THREADS", "POLARS_MAX_THREADS"), str(threads))
        self._environment = {**environment, **caps}
        self._log = log
        self._size = size
        self._idle_s = idle_s
        self._free: list[_Child] = []
        self._count = 0
        self._is_closed = False
        self._changed = threading.Condition()
        self._sweeper: threading.Thread | None = None

    @property
    def pids(self) -> list[int]:
        """Return the children that wait for a call."""
        with self._changed:
            return [child.pid for child in self._free]

    def call(
        self,
        function: str,
        args: Mapping[str, Any] | None = None,
        *,
        timeout_s: float = 60.0,
        stop: Stop | None = None,
    ) -> dict[str, Any]:
        """Call a function in the child and return its result.

        Parameters
        ----------
        function
            ``module:function``; it takes and returns a JSON object.
        args
            Its argument.
        timeout_s
            Longest time of the call itself, and of the wait for a free child.
        stop
            Ends the call from another thread; then it raises :class:`~aimass.kernel.errors.Conflict`.
        """
        with self._borrowed(timeout_s) as child, stop.watching(child.pid) if stop else nullcontext():
            try:
                answer = child.call(function, args or {}, timeout_s)
            except TimeoutError as reason:
                child.end()
                hint = "ask for less, or raise the limit"
                raise Unavailable(f"{function} took longer than {timeout_s:g} s and was stopped", hint=hint) from reason
            except TypeError as reason:
                raise Invalid(f"the arguments of {function} are no JSON: {reason}", field="args") from reason
            if answer is None and stop is not None and stop.is_stopped:
                raise Conflict("the call was stopped")
            if answer is None:
                raise Unavailable(f"{function} ended its process ({_cause(child.end())})", hint=f"see {self._log}")
        if "error" in answer:
            raise error_of(answer["error"])
        return answer["result"]

    @contextmanager
    def _borrowed(self, timeout_s: float) -> Iterator[_Child]:
        child = self._take(timeout_s)
        try:
            yield child
        except BaseException as reason:
            if not isinstance(reason, Invalid):
                child.end()
            raise
        finally:
            self._give_back(child)

    def _take(self, timeout_s: float) -> _Child:
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_closed or self._free or self._count < self._size, timeout_s):
                raise Unavailable(f"all {self._size} data children are busy", hint="try again in a moment")
            if self._is_closed:
                raise Unavailable("the platform is going down")
            while self._free:
                child = self._free.pop()
                if child.is_alive():
                    return child
                child.end()
                self._count -= 1
            self._count += 1
        try:
            return self._started()
        except BaseException:
            with self._changed:
                self._count -= 1
                self._changed.notify()
            raise

    def _started(self) -> _Child:
        try:
            child = _Child(self._environment, self._log, self._secrets)
        except OSError as reason:
            raise Unavailable(f"no data child can be started: {reason}", hint="free memory or disk") from reason
        with self._changed:
            if self._sweeper is None:
                self._sweeper = threading.Thread(target=self._sweep, name="warm-child-sweeper", daemon=True)
                self._sweeper.start()
        return child

    def _give_back(self, child: _Child) -> None:
        with self._changed:
            child.idle_since = time.monotonic()
            if child.is_alive() and not self._is_closed:
                self._free.append(child)
            else:
                child.end()
                self._count -= 1
            self._changed.notify()

    def _sweep(self) -> None:
        """End children that were idle for too long; the thread ends with the last of them."""
        while True:
            time.sleep(min(1.0, self._idle_s / 4))
            with self._changed:
                limit = time.monotonic() - self._idle_s
                for child in [child for child in self._free if child.idle_since < limit]:
                    self._free.remove(child)
                    self._count -= 1
                    child.end()
                if not self._count or self._is_closed:
                    self._sweeper = None
                    return

    def close(self) -> None:
        """End all children; a call that is running gets Unavailable."""
        with self._changed:
            self._is_closed = True
            for child in self._free:
                child.end()
            self._count -= len(self._free)
            self._free.clear()
            self._changed.notify_all()


def _cause(code: int) -> str:
    with suppress(ValueError):
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"exit code {code}"


def _classes(root: type[AimassError]) -> Iterator[type[AimassError]]:
    yield root
    for below in root.__subclasses__():
        yield from _classes(below)


def error_of(problem: Mapping[str, Any]) -> AimassError:
    """Return the error that a problem document describes; foreign exceptions become Failed.

    Examples
    --------
    >>> type(error_of({"code": "invalid", "detail": "no"})).__name__
    'Invalid'
    """
    kinds = {kind.code: kind for kind in _classes(AimassError) if kind.code != "missing_extra"}
    kind = kinds.get(problem["code"], Failed)
    known = {name: problem[name] for name in ("hint", "field", "value", "allowed") if name in problem}
    return kind(problem["detail"], **known)
