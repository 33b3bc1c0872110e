"""The parameters that every recipe of sounds has."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Hearing(BaseModel):
    """How clips become pictures."""

    model_config = ConfigDict(extra="forbid")

    sample_rate: int = Field(default=16_000, ge=1_000, le=192_000, description="Samples of a second of the clips")
    frame_ms: float = Field(default=25.0, ge=2, le=500, description="Milliseconds of a frame")
    hop_ms: float = Field(default=10.0, ge=1, le=500, description="Milliseconds from one frame to the next")
    bands: int = Field(default=40, ge=4, le=256, description="Bands of hearing, evenly on the mel scale")
    low_hz: float = Field(default=20.0, ge=0, le=20_000, description="Lowest frequency that is heard")
    high_hz: float = Field(
        default=7_600.0, gt=0, le=96_000, description="Highest frequency; at most half of the sample rate"
    )
