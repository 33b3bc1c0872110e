"""What a deployment may not wish for, by the kind of its package and by what this platform has."""

from __future__ import annotations

from aimass.infra.compute import need_sandbox
from aimass.kernel.errors import Invalid
from aimass.serving.domain.placing import IsolationWish, Options, is_own
from aimass.serving.domain.scaling import MOST, MOST_IDLE_S, MOST_LATENCY_MS, MOST_TARGET, Replicas
from aimass.serving.domain.things import Placement
from aimass.serving.library import Target


def check_sandbox(wish: IsolationWish | None, *, is_required: bool) -> None:
    """Refuse an isolation that this machine cannot keep, or that this platform does not allow."""
    if wish == "sandbox":
        need_sandbox()
    if wish == "process" and is_required:
        raise Invalid(
            "this platform runs no worker without a sandbox",
            field="isolation",
            value="process",
            allowed=["auto", "sandbox"],
        )


def check_fit(placement: Placement, options: Options, target: Target, *, is_inline: bool, most: int | None) -> None:
    """Refuse what does not go together.

    Parameters
    ----------
    is_inline
        Whether packages of this kind run no code of their own.
    most
        How many bytes all models of a gateway worker may take; None where no worker has said so yet.
    """
    if placement == "inline" and not is_inline:
        raise Invalid(
            f"a package of runtime {target.runtime!r} runs code and cannot run inside the gateway",
            field="placement",
            value="inline",
            allowed=["auto", "isolated"],
        )
    if placement == "inline" and options.isolation == "sandbox":
        raise Invalid(
            "what runs inside the gateway has no sandbox",
            field="isolation",
            value="sandbox",
            allowed=["auto"],
            hint="choose the placement isolated, or auto",
        )
    _check_range(options.replicas)
    if is_own(placement, options.isolation, is_inline=is_inline):
        return
    if options.replicas.max > 1 or not options.replicas.min:
        raise Invalid(
            "what runs inside the gateway has no workers of its own",
            field="replicas",
            value=options.replicas.max,
            hint="choose the placement isolated",
        )
    if most is not None and target.size > most:
        raise Invalid(
            f"the model has {target.size} bytes, and all models of a gateway worker may take {most}",
            field="model",
            value=target.size,
            allowed=f"at most {most} bytes",
            hint="deploy it with placement 'isolated', or raise AIMASS_GATEWAY_MAX_MODEL_BYTES",
        )


def _check_range(wish: Replicas) -> None:
    """Refuse a range of workers that is none."""
    counts = 0 <= wish.min <= wish.max and 1 <= wish.max <= MOST
    is_fast = wish.latency_ms is None or 0 < wish.latency_ms <= MOST_LATENCY_MS
    if not (counts and 0 < wish.target <= MOST_TARGET and 1 <= wish.idle_s <= MOST_IDLE_S and is_fast):
        raise Invalid(
            f"at least {wish.min} and at most {wish.max} workers, {wish.target:g} requests for each, is no range",
            field="replicas",
            value=wish.min,
            allowed=f"0 <= min <= max, 1 <= max <= {MOST}, target above 0 and at most {MOST_TARGET:g}, "
            f"latency_ms above 0 and at most {MOST_LATENCY_MS:g}, idle_s 1 to {MOST_IDLE_S:g}",
        )
