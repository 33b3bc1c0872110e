"""A graph runs on what the machine has; what was asked for and is missing is told, and the CPU answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimass.infra.devices import DEVICES, PROVIDERS, device_of

CPU = PROVIDERS["cpu"]


@given(wish=st.sampled_from(DEVICES), others=st.sets(st.sampled_from(sorted(PROVIDERS.values()))))
def test_only_what_there_is_is_chosen_and_the_cpu_stands_behind(wish: str, others: set[str]) -> None:
    available = [*others, CPU]
    found = device_of(wish, available)
    assert set(found.providers) <= set(available)
    assert found.providers[0] == PROVIDERS[found.name]
    assert found.providers[-1] == CPU
    assert bool(found.fallback) == (wish != "auto" and PROVIDERS[wish] not in available)


@pytest.mark.parametrize(
    ("available", "name"),
    [
        (["TensorrtExecutionProvider", "CUDAExecutionProvider", CPU], "cuda"),
        (["OpenVINOExecutionProvider", CPU], "cpu"),
        (["ROCMExecutionProvider", CPU], "rocm"),
        (["AzureExecutionProvider", CPU], "cpu"),
    ],
)
def test_unasked_only_what_needs_no_long_preparation_is_taken(available: list[str], name: str) -> None:
    assert device_of("auto", available).name == name


def test_tensorrt_leaves_to_cuda_what_it_cannot_run() -> None:
    available = ["CUDAExecutionProvider", CPU, "TensorrtExecutionProvider"]
    assert device_of("tensorrt", available).providers == (
        "TensorrtExecutionProvider",
        "CUDAExecutionProvider",
        CPU,
    )
