"""Bodies made to hurt: deep, huge, contradictory, or small ones that say they are large."""

from __future__ import annotations

import gzip
import json
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.gateway import KEY, ROW, Answer, Gateway, ask, infer, oip, read_answer, request


def memory_peak_mb(gateway: Gateway) -> float:
    assert gateway.process is not None
    text = Path(f"/proc/{gateway.process.pid}/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024


def with_input(index: int, **parts: Any) -> dict[str, Any]:
    document = oip()
    document["inputs"][index].update(parts)
    return document


def refused(answer: Answer) -> str:
    assert answer.status == 400, answer.body
    return answer.json()["code"]


DEPTH = 100_000
WHOLE = json.dumps(oip())
DEEP = {
    "brackets": b"[" * DEPTH,
    "closed brackets": b"[" * DEPTH + b"]" * DEPTH,
    "braces": b'{"a":' * DEPTH + b"1" + b"}" * DEPTH,
    "in the parameters": WHOLE.replace("{", '{"parameters":' + "[" * DEPTH + "]" * DEPTH + ",", 1).encode(),
    "in the data": WHOLE.replace("[12]", "[" * DEPTH + "12" + "]" * DEPTH).encode(),
}


@pytest.mark.parametrize("name", DEEP)
def test_deep_json_is_refused(gateway: Gateway, name: str) -> None:
    assert refused(infer(gateway, DEEP[name])) == "invalid_json"


NUMBERS = ["1e400", "-1e400", "1" + "0" * 5000, "0." + "1" * 100_000, "9223372036854775808", "-9223372036854775809", "1e-400", "NaN", "Infinity", "0x10", "012", "1_0", "+1", "1."]  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS, ids=lambda text: text[:12])
@pytest.mark.parametrize("index", [2, 3])
def test_a_number_beyond_its_type_is_refused_or_rounded_but_never_breaks(
    gateway: Gateway, number: str, index: int
) -> None:
    usual = "12" if index == 2 else "56.95"
    body = WHOLE.replace(f"[{usual}]", f"[{number}]").encode()
    assert body != WHOLE.encode()
    answer = infer(gateway, body)
    if answer.status != 200:
        assert refused(answer) in ("invalid_json", "wrong_type")
    else:
        assert len(number) > 50_000 or number == "1e-400" or (index == 3 and number.lstrip("-")[:4] == "9223")


def test_a_doubled_key_means_the_last_one_on_every_path(gateway: Gateway) -> None:
    doubled = WHOLE.replace('"data": [12]', '"data": [12], "data": [60]').encode()
    once = json.dumps(oip([{**ROW, "tenure": 60}])).encode()
    wanted = infer(gateway, once).json()["outputs"]
    assert [infer(gateway, doubled).json()["outputs"] for _ in range(4)] == [wanted] * 4


TEXTS = {
    "a lone surrogate": b'"\\ud800"',
    "bytes that are not UTF-8": b'"\xff\xfe"',
    "an overlong slash": b'"\xc0\xaf"',
    "half a letter": b'"\xe5\xae"',
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_that_is_not_unicode_is_refused(gateway: Gateway, name: str) -> None:
    for place in (b'"One year"', b'"DSL"'):
        assert refused(infer(gateway, WHOLE.encode().replace(place, TEXTS[name]))) == "invalid_json"
    assert refused(infer(gateway, WHOLE.encode().replace(b"{", b'{"id":' + TEXTS[name] + b",", 1))) == "invalid_json"


def test_a_zero_letter_in_a_text_is_a_letter_like_any_other(gateway: Gateway) -> None:
    assert infer(gateway, oip([{**ROW, "internet": "D\0SL"}])).status == 200
    assert refused(infer(gateway, oip([{**ROW, "contract": "One\0year"}]))) == "unseen_category"


SHAPES: list[Any] = [
    [-1],
    [0],
    [2**31],
    [2**62],
    [2**63],
    [2**64],
    [10**30],
    [1, 2**62],
    [2**32, 2**32],
    [-(2**63)],
    [1, -1],
    [1, 0],
    [1.0],
    [True],
    ["1"],
    [None],
    [[1]],
    [],
    [1] * 20_000,
    {},
    "1",
    1,
    None,
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: str(shape)[:20])
@pytest.mark.parametrize("is_binary", [False, True])
def test_a_shape_that_does_not_fit_its_data_is_refused_and_takes_no_memory(
    gateway: Gateway, shape: Any, is_binary: bool
) -> None:
    before = memory_peak_mb(gateway)
    if not is_binary:
        assert refused(infer(gateway, with_input(2, shape=shape))) in ("wrong_shape", "invalid_json")
        assert refused(infer(gateway, _all_shapes(shape))) in ("wrong_shape", "invalid_json")
    document = oip()
    document["inputs"][2] = {
        "name": "tenure",
        "shape": shape,
        "datatype": "INT64",
        "parameters": {"binary_data_size": 8},
    }
    assert refused(_binary(gateway, document, struct.pack("<q", 12))) in ("wrong_shape", "invalid_json")
    assert memory_peak_mb(gateway) - before < 30


def _all_shapes(shape: Any) -> dict[str, Any]:
    document = oip()
    for tensor in document["inputs"]:
        tensor["shape"] = shape
    return document


def _binary(gateway: Gateway, document: dict[str, Any], tail: bytes) -> Answer:
    head = json.dumps(document).encode()
    sizes = {"Inference_Header_Content_Length": str(len(head)), "Content_Type": "application/octet-stream"}
    return infer(gateway, head + tail, **sizes)


SIZES: list[Any] = [-1, 0, 1, 7, 9, 2**31, 2**63, 2**64, 10**30, 1.5, "8", True, [8], {}]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_binary_size_that_does_not_fit_is_refused(gateway: Gateway, size: Any) -> None:
    document = oip()
    tensor = document["inputs"][2]
    del tensor["data"]
    tensor["parameters"] = {"binary_data_size": size}
    assert refused(_binary(gateway, document, struct.pack("<q", 12))) in ("wrong_shape", "invalid_json")


STRINGS = [
    struct.pack("<I", 2**32 - 1),
    struct.pack("<I", 2**31) + b"One year",
    struct.pack("<I", 9) + b"One year",
    struct.pack("<I", 7) + b"One year",
    struct.pack("<I", 8) + b"One yea",
    b"\x08\x00\x00",
    b"",
    struct.pack("<I", 0) * 1000,
]


@pytest.mark.parametrize("raw", STRINGS, ids=lambda raw: raw[:12].hex())
def test_lengths_of_texts_that_do_not_fit_are_refused(gateway: Gateway, raw: bytes) -> None:
    document = oip()
    tensor = document["inputs"][0]
    del tensor["data"]
    tensor["parameters"] = {"binary_data_size": len(raw)}
    assert refused(_binary(gateway, document, raw)) in ("wrong_shape", "wrong_type")


@pytest.mark.parametrize("text", ["-1", "+5", "1e3", " 5", "9" * 30, "99999", "0x10", "²", "1 1", ""])
def test_a_json_length_that_does_not_fit_is_refused(gateway: Gateway, text: str) -> None:
    lines = request("POST", "/v2/models/churn/infer", oip())
    head, _, body = lines.partition(b"\r\n\r\n")
    with gateway.connect() as connection:
        extra = b"\r\nInference-Header-Content-Length: " + text.encode()
        connection.sendall(head + extra + b"\r\n\r\n" + body)
        answer, _ = read_answer(connection)
    if text == " 5":
        assert refused(answer) == "invalid_json"
    else:
        assert refused(answer) in ("bad_request", "invalid_json"), answer.body


def test_many_rows_in_a_small_body_are_counted_before_they_are_made(gateway: Gateway) -> None:
    document = oip()
    for tensor in document["inputs"]:
        tensor["shape"] = [1_000_000_000, 1]
        tensor["data"] = []
    assert refused(infer(gateway, document)) == "wrong_shape"


BOMBS = {
    "gzip": gzip.compress(b" " * (100 << 20)),
    "deflate": zlib.compress(b" " * (100 << 20)),
}


@pytest.mark.parametrize("coding", BOMBS)
def test_a_bomb_is_unpacked_to_the_limit_and_no_further(gateway: Gateway, coding: str) -> None:
    before, started = memory_peak_mb(gateway), time.monotonic()
    for _ in range(5):
        answer = infer(gateway, BOMBS[coding], Content_Encoding=coding)
        assert (answer.status, answer.json()["code"]) == (413, "body_too_large")
    assert memory_peak_mb(gateway) - before < 20
    assert time.monotonic() - started < 30


PACKED = gzip.compress(WHOLE.encode())
BROKEN = {
    "nothing": b"",
    "a head alone": PACKED[:10],
    "cut off": PACKED[:-1],
    "a wrong checksum": PACKED[:-8] + b"\0" * 8,
    "a wrong length": PACKED[:-4] + b"\xff" * 4,
    "bytes after the end": PACKED + b"x",
    "a second member": PACKED + PACKED,
    "a stream in a stream": gzip.compress(PACKED),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_packed_body_that_is_damaged_or_goes_on_is_refused(gateway: Gateway, name: str) -> None:
    assert refused(infer(gateway, BROKEN[name], Content_Encoding="gzip")) == "invalid_json"


@pytest.mark.parametrize("coding", ["gzip, gzip", "gzip,deflate", "br", "compress", "gzip\t", "GZIP", "x", "zstd"])
def test_a_coding_that_is_not_known_gets_415_and_a_known_one_is_undone(gateway: Gateway, coding: str) -> None:
    answer = infer(gateway, PACKED, Content_Encoding=coding)
    assert answer.status == (200 if coding.strip().lower() == "gzip" else 415)


IDS: list[Any] = ["a" * 256, 7, True, {}, [], 1.5]


@pytest.mark.parametrize("id_", IDS, ids=lambda id_: str(id_)[:10])
def test_an_id_that_is_no_short_text_is_refused(gateway: Gateway, id_: Any) -> None:
    assert refused(infer(gateway, oip(id=id_))) == "invalid_json"


def test_many_inputs_outputs_and_parameters_are_refused_or_read_but_never_break(gateway: Gateway) -> None:
    many = oip()
    many["inputs"] = many["inputs"] * 2000
    assert refused(infer(gateway, many)) == "doubled_input"
    assert refused(infer(gateway, oip(outputs=[{"name": str(n)} for n in range(20_000)]))) == "unknown_output"
    assert infer(gateway, oip(parameters={str(n): n for n in range(20_000)})).status == 200


def test_an_output_asked_for_twice_is_refused_so_that_an_answer_does_not_grow(gateway: Gateway) -> None:
    assert refused(infer(gateway, oip(outputs=[{"name": "probabilities"}] * 20_000))) == "doubled_output"


def test_after_all_of_this_the_gateway_serves_and_its_log_holds_no_failure_and_no_key(gateway: Gateway) -> None:
    assert infer(gateway).status == 200
    assert ask(gateway, "GET", "/healthz").status == 200
    log = gateway.log.read_text()
    assert "Traceback" not in log
    assert KEY not in log
