"""W3C Trace Context at the door: what a client sends of its trace is taken out of the head, and what goes on is written.

A trace travels through the data plane as ``<trace id>-<span>-<flags>``: what a ``traceparent`` holds after its version. The
span is always the gateway's own. The lines are cut out of a head before it is looked up, so that heads which differ in
their trace alone are still understood once.
"""

from __future__ import annotations

import random
import re
from typing import NamedTuple

ID_BYTES = 32
_LINE = re.compile(rb"\r\n(traceparent|tracestate):[ \t]*([^\r\n]*?)[ \t]*(?=\r\n[^ \t])", re.IGNORECASE)
_PARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?")
_MEMBER = re.compile(
    rb"[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_MOST_MEMBERS, _MOST_BYTES = 32, 512
_KNOWN_FLAGS = 3  # sampled, and random trace id; others are not defined
_FOLD = (b" ", b"\t")
_NAME = len("\r\ntraceparent:")
_SPAN = 64
_bits = random.Random(random.SystemRandom().getrandbits(256)).getrandbits  # noqa: S311 ids are no secrets


class Told(NamedTuple):
    """A head without what it says of a trace, and that: empty where it says nothing that is valid."""

    rest: bytes
    trace: bytes
    state: bytes


def new_trace() -> bytes:
    """Begin a trace, marked as sampled: what comes of it is recorded here.

    Examples
    --------
    >>> len(new_trace()), new_trace() == new_trace()
    (52, False)
    """
    return b"%032x-%016x-01" % (_bits(128) or 1, _bits(_SPAN) or 1)


def cut_trace(head: bytes) -> Told | None:
    r"""Take the trace out of a request head; None when nothing is said of one.

    Examples
    --------
    >>> told = cut_trace(b"GET / HTTP/1.1\r\nTraceparent: 00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01\r\nHost: a\r\n\r\n")
    >>> told.rest, told.trace[:32] == b"a" * 32, told.trace[-3:]
    (b'GET / HTTP/1.1\r\nHost: a\r\n\r\n', True, b'-01')
    >>> cut_trace(b"GET / HTTP/1.1\r\nTraceparent: 00-1-2-01\r\n\r\n").trace
    b''
    """
    lower = head.lower()
    if b"traceparent:" not in lower:
        return None
    start = lower.find(b"\r\ntraceparent:")
    end = head.find(b"\r\n", start + 2)
    is_alone = lower.count(b"\r\ntrace") == 1 and head[end + 2 : end + 3] not in _FOLD
    if start > 0 and is_alone:
        return Told(head[:start] + head[end:], continued(head[start + _NAME : end].strip(b" \t")), b"")
    said = [(name.lower(), value) for name, value in _LINE.findall(head)]
    parents = [value for name, value in said if name == b"traceparent"]
    trace = continued(parents[0]) if len(parents) == 1 else b""
    state = state_of([value for name, value in said if name == b"tracestate"]) if trace else b""
    return Told(_LINE.sub(b"", head), trace, state)


def continued(parent: bytes) -> bytes:
    """Return the trace of a ``traceparent`` with a span of our own; empty when it is invalid.

    Examples
    --------
    >>> parent = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
    >>> continued(parent)[:32] == b"a" * 32, continued(parent + b"-more"), continued(b"cc" + parent[2:] + b"-more")[-3:]
    (True, b'', b'-01')
    """
    found = _PARENT.fullmatch(parent)
    if found is None or (found[1] == b"00" and found[4]):
        return b""
    return b"%b-%016x-%02x" % (found[2], _bits(_SPAN) or 1, int(found[3], 16) & _KNOWN_FLAGS)


def state_of(values: list[bytes]) -> bytes:
    """Put the lines of a ``tracestate`` together; empty when one is invalid, or it is too long to be passed on.

    Examples
    --------
    >>> state_of([b"a=1, b=2", b"c=3"]), state_of([b"a=1,a=2"]), state_of([b"A=1"])
    (b'a=1,b=2,c=3', b'', b'')
    """
    members = [member for value in values for part in value.split(b",") if (member := part.strip(b" \t"))]
    keys = {member.partition(b"=")[0] for member in members}
    joined = b",".join(members)
    is_valid = len(keys) == len(members) <= _MOST_MEMBERS and len(joined) <= _MOST_BYTES
    return joined if is_valid and all(map(_MEMBER.fullmatch, members)) else b""


def request_lines(trace: bytes, state: bytes) -> bytes:
    r"""Return the header lines by which a request carries its trace on.

    Examples
    --------
    >>> request_lines(b"a-b-01", b"")
    b'traceparent: 00-a-b-01\r\n'
    """
    line = b"traceparent: 00-%b\r\n" % trace
    return b"%btracestate: %b\r\n" % (line, state) if state else line


def with_answer(reply: bytes, trace: bytes) -> bytes:
    r"""Return the beginning of a reply with the trace behind its first line.

    Examples
    --------
    >>> with_answer(b"HTTP/1.1 200 OK\r\nA: 1\r\n\r\n", b"a-b-01")
    b'HTTP/1.1 200 OK\r\ntraceresponse: 00-a-b-01\r\nA: 1\r\n\r\n'
    """
    return reply.replace(b"\r\n", b"\r\ntraceresponse: 00-%b\r\n" % trace, 1)
