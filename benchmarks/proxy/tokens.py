"""What a signed token costs the data plane: looked up, and seen for the first time, against the bare check of its signature."""

from __future__ import annotations

import statistics
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import TypeVar

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from aimass.gateway.plane.auth import Key
from aimass.gateway.plane.tokens import Tokens

T = TypeVar("T")
_TOKENS, _LOOK_UPS, _ROUNDS = 1000, 200_000, 7
_KEY = {"id": "k", "consumer": "bench", "workspace": "demo", "use": ["*"]}


def token_costs() -> tuple[float, float, float]:
    """Return microseconds of a look-up, of a first check, and of the bare check of a signature; medians in turn."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key()
    texts = [_token(private, number) for number in range(_TOKENS)]
    spec = {
        "issuer": "bench",
        "keys": {"one": _coded(public.public_bytes(Encoding.Raw, PublicFormat.Raw))},
        "revoked": [],
    }
    parts = [(text.rpartition(b".")[0], _signature(private, text)) for text in texts]
    rounds: list[tuple[float, float, float]] = []
    for _ in range(_ROUNDS):
        tokens = Tokens(spec, [Key(_KEY, None)])
        first = _each(tokens.key, texts)
        bare = _each(lambda pair: public.verify(pair[1], pair[0]), parts)
        cached = _each(tokens.key, texts[:1] * _LOOK_UPS)
        rounds.append((cached, first, bare))
    cached, first, bare = (statistics.median(one[place] for one in rounds) for place in range(3))
    return cached, first, bare


def _each(do: Callable[[T], object], values: Sequence[T]) -> float:
    began = time.process_time()
    for value in values:
        do(value)
    return (time.process_time() - began) / len(values) * 1e6


def _token(private: Ed25519PrivateKey, number: int) -> bytes:
    head = _coded(orjson.dumps({"alg": "EdDSA", "kid": "one", "typ": "at+jwt"}))
    claims = {"iss": "bench", "sub": "bench", "jti": f"t{number}", "exp": 4102444800, "via": "key:k", "scope": ""}
    message = f"{head}.{_coded(orjson.dumps(claims))}".encode()
    return message + b"." + _coded(private.sign(message)).encode()


def _signature(private: Ed25519PrivateKey, text: bytes) -> bytes:
    return private.sign(text.rpartition(b".")[0])


def _coded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
