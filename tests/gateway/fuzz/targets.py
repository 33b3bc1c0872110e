"""What is fuzzed: each target makes clients' bytes out of any bytes, and has seeds to start from."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from collections.abc import Callable, Iterator

from tests.fixtures.gateway import KEY, ROW, oip, request
from tests.gateway.fuzz.plane import Plane
from tests.gateway.test_smuggling import CHUNKS, REFUSED

_POST = b"POST /v2/models/churn/infer HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + KEY.encode() + b"\r\n"
_WHOLE = json.dumps(oip()).encode()


def stream(plane: Plane, data: bytes) -> None:
    """Any bytes, in pieces whose sizes come from the first bytes."""
    plane.talk(_cut(data[4:], data[:4]))


def chunks(plane: Plane, data: bytes) -> None:
    """Any bytes as the chunks of a body, for inference and for control."""
    address = b"/api/upload" if data[:1] > b"\x80" else b"/v2/models/churn/infer"
    head = _POST.replace(b"/v2/models/churn/infer", address) + b"Transfer-Encoding: chunked\r\n\r\n"
    plane.talk([head, *_cut(data[4:], data[:4])])


def document(plane: Plane, data: bytes) -> None:
    """Any bytes as a JSON body."""
    found = plane.talk([_POST + b"Content-Length: %d\r\n\r\n" % len(data) + data])
    assert len(found) == 1, found


def tensors(plane: Plane, data: bytes) -> None:
    """A document and bytes after it, with any idea of where one ends and the other begins."""
    size, body = int.from_bytes(data[:2], "little"), data[2:]
    head = _POST + b"Inference-Header-Content-Length: %d\r\nContent-Length: %d\r\n\r\n" % (size, len(body))
    found = plane.talk([head + body])
    assert len(found) == 1, found


def packed(plane: Plane, data: bytes) -> None:
    """Any bytes as a packed body, and a packed body of any bytes."""
    coding = b"gzip" if data[:1] < b"\x80" else b"deflate"
    pack: Callable[[bytes], bytes] = gzip.compress if coding == b"gzip" else zlib.compress
    for body in (data[1:], pack(data[1:])):
        head = _POST + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding, len(body))
        assert len(plane.talk([head + body])) == 1


TARGETS: dict[str, Callable[[Plane, bytes], None]] = {
    "stream": stream,
    "chunks": chunks,
    "document": document,
    "tensors": tensors,
    "packed": packed,
}


def _cut(data: bytes, sizes: bytes) -> Iterator[bytes]:
    at = turn = 0
    while at < len(data):
        size = (sizes[turn % len(sizes)] if sizes else 255) * 4 + 1
        yield data[at : at + size]
        at, turn = at + size, turn + 1


def seeds(target: str) -> list[bytes]:
    """Return inputs that reach far."""
    return _SEEDS[target]()


def _streams() -> list[bytes]:
    good = [
        request("GET", "/v2/health/ready"),
        request("HEAD", "/v2"),
        request("GET", "/metrics"),
        request("GET", "/api/x?y=1"),
        request("POST", "/api/x", b"body", Expect="100-continue"),
        request("POST", "/v2/models/churn/infer", oip()),
        request("POST", "/v2/models/churn/infer", oip([ROW] * 3), Connection="close"),
        request("POST", "/v2/repository/index", {}),
        request("GET", "/v2/models/churn/versions/1/ready"),
        request("GET", "/ws", Connection="Upgrade", Upgrade="websocket"),
    ]
    pipelines = [good[5] + good[0] + good[5], b"".join(good)]
    return [b"\xff\x10\x03\xff" + data for data in (*good, *pipelines, *REFUSED.values())]


def _chunks() -> list[bytes]:
    whole = b"%x\r\n%b\r\n0\r\n\r\n" % (len(_WHOLE), _WHOLE)
    return [start + data for start in (b"\x00\xff\x03\x40", b"\xff\x20\x01\x01") for data in (*CHUNKS.values(), whole)]


def _documents() -> list[bytes]:
    changed = [oip([ROW] * 3), oip(id="x"), oip(outputs=[{"name": "label", "parameters": {"binary_data": True}}])]
    changed += [oip(parameters={"binary_data_output": True}), oip([{**ROW, "charges": None}])]
    return [_WHOLE, *(json.dumps(one).encode() for one in changed), b"{}", b"[]", b'{"inputs":[]}']


def _tensors() -> list[bytes]:
    text = b"".join(struct.pack("<I", len(word)) + word for word in (b"One year",))
    parts = [text, struct.pack("<I", 3) + b"DSL", struct.pack("<q", 12), struct.pack("<f", 56.95)]
    document = oip()
    for tensor, part in zip(document["inputs"], parts, strict=True):
        del tensor["data"]
        tensor["parameters"] = {"binary_data_size": len(part)}
    head = json.dumps(document).encode()
    return [len(head).to_bytes(2, "little") + head + b"".join(parts), len(_WHOLE).to_bytes(2, "little") + _WHOLE]


def _packed() -> list[bytes]:
    return [b"\x00" + gzip.compress(_WHOLE), b"\xff" + zlib.compress(_WHOLE), b"\x00" + _WHOLE, b"\xff" + _WHOLE]


_SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "stream": _streams,
    "chunks": _chunks,
    "document": _documents,
    "tensors": _tensors,
    "packed": _packed,
}
