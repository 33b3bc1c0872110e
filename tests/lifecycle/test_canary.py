"""The decision about a canary follows from what was measured."""

from dataclasses import dataclass

import pytest

from aimass.lifecycle.canary import Evidence, Limits, Score, decide_canary


@dataclass
class Measured:
    requests: int = 100
    error_rate: float | None = 0.0
    p95_ms: float | None = 4.0


def score(value: float, margin: float = 0.02) -> Score:
    return Score(value=value, low=value - margin, high=value + margin, count=200)


def error(value: float, margin: float = 0.5) -> Score:
    return Score(value=value, low=value - margin, high=value + margin, count=200, metric="rmse")


CASES = [
    ("too few requests", Measured(requests=10), Measured(), None, None, "wait"),
    ("as good as main", Measured(), Measured(requests=900), None, None, "promote"),
    ("more errors", Measured(error_rate=0.05), Measured(), None, None, "roll back"),
    ("errors within the margin", Measured(error_rate=0.009), Measured(), None, None, "promote"),
    ("as many errors as main", Measured(error_rate=0.3), Measured(error_rate=0.3), None, None, "promote"),
    ("much slower", Measured(p95_ms=60.0), Measured(p95_ms=4.0), None, None, "roll back"),
    ("slower within the margin", Measured(p95_ms=20.0), Measured(p95_ms=4.0), None, None, "promote"),
    ("clearly worse answers", Measured(), Measured(), score(0.70), score(0.84), "roll back"),
    ("worse, but not clearly", Measured(), Measured(), score(0.78, 0.08), score(0.84), "promote"),
    ("better answers", Measured(), Measured(), score(0.88), score(0.84), "promote"),
    ("clearly larger errors of numbers", Measured(), Measured(), error(12.0), error(10.0), "roll back"),
    ("larger errors, but not clearly", Measured(), Measured(), error(12.0, 3.0), error(10.0), "promote"),
    ("smaller errors of numbers", Measured(), Measured(), error(8.0), error(10.0), "promote"),
    ("another measure than main", Measured(), Measured(), error(12.0), score(0.84), "promote"),
    ("no latency known", Measured(p95_ms=None), Measured(), None, None, "promote"),
]


@pytest.mark.parametrize(
    ("name", "canary", "main", "canary_score", "main_score", "decision"), CASES, ids=lambda v: str(v)[:24]
)
def test_the_canary_is_decided_by_its_figures(name, canary, main, canary_score, main_score, decision) -> None:
    evidence = Evidence(canary=canary, main=main, canary_score=canary_score, main_score=main_score)
    verdict = decide_canary(evidence, Limits())
    assert verdict.decision == decision, verdict.reason
    assert verdict.decision == "wait" or verdict.facts["canary"]["requests"] == canary.requests


def test_limits_come_from_the_parameters_of_the_run() -> None:
    parameters = {
        "canary_requests": 5,
        "error_rate_margin": 0.1,
        "latency_ratio": 2,
        "latency_margin_s": 1,
        "quality_margin": 0.2,
    }
    assert Limits.of(parameters).requests == 5
