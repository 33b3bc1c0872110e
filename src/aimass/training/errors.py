"""What can go wrong with data and training."""

from __future__ import annotations

from aimass.kernel.errors import Failed, Invalid


class Unlearnable(Invalid):
    """Nothing can be learned from this data."""

    code = "data_unlearnable"


class NotFinite(Failed):
    """The training left the finite numbers."""

    code = "loss_not_finite"


class Uncompressible(Invalid):
    """A model cannot be compressed in the way that was asked for."""

    code = "model_uncompressible"


class NothingMet(Failed):
    """No compressed model meets the policy."""

    code = "policy_not_met"
