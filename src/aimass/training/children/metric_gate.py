"""The review check ``training.metric_gate``: a candidate against the champion on the same test rows."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from aimass.models import verify_package
from aimass.training.children.evaluate import part_of, predictor
from aimass.training.measures.intervals import auc_interval, compare_auc

TOLERANCE = 0.01


def metric_gate(ctx: Any) -> dict[str, Any]:
    """Return ``passed``, the ``evidence`` in one sentence, and its numbers as ``detail``.

    The payload has ``package`` and ``champion`` (folders; no champion is a pass), ``dataset``, ``split``, ``part``
    (``test``), ``target``, ``key``, ``seed``, ``tolerance`` (of ROC AUC) and optionally ``minimum``.
    """
    payload = {"part": "test", **ctx.params}
    if not payload.get("split"):
        return {"passed": True, "evidence": "no test rows are known for this package: nothing to compare", "detail": {}}
    candidate = verify_package(Path(payload["package"]))
    ctx.report(0.2, stage="candidate")
    features, truth, _ = part_of(payload, candidate.manifest.signature)
    own = predictor(candidate, threads=1)(features)
    seed = int(payload.get("seed", 0))
    interval = auc_interval(truth, own, seed=seed)
    minimum = float(payload.get("minimum", 0.5))
    if interval.value < minimum:
        sentence = f"test ROC AUC {interval.value:.4f} is below the minimum {minimum:g}"
        return {"passed": False, "evidence": sentence, "detail": asdict(interval)}
    if not payload.get("champion"):
        sentence = (
            f"test ROC AUC {interval.value:.4f} [{interval.low:.4f}, {interval.high:.4f}]; there is no champion yet"
        )
        return {"passed": True, "evidence": sentence, "detail": asdict(interval)}
    ctx.report(0.6, stage="champion")
    champion = verify_package(Path(payload["champion"]))
    if set(champion.manifest.signature.classes) != set(candidate.manifest.signature.classes):
        sentence = "the champion predicts other classes: the two cannot be compared"
        return {"passed": True, "evidence": sentence, "detail": asdict(interval)}
    return _compared(payload, own, truth, _answers(payload, champion, features.height))


def _answers(payload: dict[str, Any], champion: Any, rows: int) -> Any:
    features: pl.DataFrame
    features, _, _ = part_of(payload, champion.manifest.signature)
    if features.height != rows:
        msg = f"the champion reads {features.height} rows, the candidate {rows}"
        raise ValueError(msg)
    return predictor(champion, threads=1)(features)


def _compared(payload: dict[str, Any], own: Any, truth: Any, other: Any) -> dict[str, Any]:
    tolerance = float(payload.get("tolerance", TOLERANCE))
    found = compare_auc(truth, own, other, seed=int(payload.get("seed", 0)))
    passed = found.difference >= -tolerance
    sentence = (
        f"test ROC AUC {found.candidate:.4f} against {found.champion:.4f} of the champion on the same {len(truth)} rows: "
        f"difference {found.difference:+.4f} [{found.low:+.4f}, {found.high:+.4f}], p = {found.p_value:.3f} "
        f"({found.method}); a loss up to {tolerance:g} is allowed"
    )
    return {"passed": passed, "evidence": sentence, "detail": asdict(found)}
