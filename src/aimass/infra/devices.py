"""On which device a graph runs: what is wished, what the machine has, and why the two differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

CPU = "cpu"
AUTO = "auto"
PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "rocm": "ROCMExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "qnn": "QNNExecutionProvider",
    CPU: "CPUExecutionProvider",
}
DEVICES = (AUTO, *PROVIDERS)
# What is taken unasked, the best first. TensorRT builds an engine for minutes and CoreML rounds more coarsely: both are
# taken when somebody asks for them.
_UNASKED = ("cuda", "rocm", "migraphx", "directml")
# What stands behind a device: a part of a graph that it cannot run goes to the next.
_BEHIND = {"tensorrt": ("cuda",)}


@dataclass(frozen=True, slots=True)
class Device:
    """Where a graph runs.

    Attributes
    ----------
    name
        The device.
    providers
        The execution providers of onnxruntime, in the order of preference.
    fallback
        Why it is not the device that was wished; empty when it is.
    """

    name: str
    providers: tuple[str, ...]
    fallback: str = ""


def device_of(wish: str, available: Sequence[str]) -> Device:
    """Choose a device by what this build of onnxruntime knows.

    Examples
    --------
    >>> device_of("auto", ["CUDAExecutionProvider", "CPUExecutionProvider"]).name
    'cuda'
    >>> device_of("cuda", ["CPUExecutionProvider"]).fallback
    'CUDAExecutionProvider is not in this build of onnxruntime'
    """
    if wish == AUTO:
        found = next((name for name in _UNASKED if PROVIDERS[name] in available), CPU)
        return Device(found, _providers(found, available))
    provider = PROVIDERS[wish]
    if provider in available:
        return Device(wish, _providers(wish, available))
    return Device(CPU, _providers(CPU, available), f"{provider} is not in this build of onnxruntime")


def _providers(name: str, available: Sequence[str]) -> tuple[str, ...]:
    wanted = [PROVIDERS[one] for one in (name, *_BEHIND.get(name, ()), CPU)]
    return tuple(dict.fromkeys(one for one in wanted if one in available))


def device_used(chosen: Device, session: Any) -> Device:
    """Return where a session really runs: a provider that could not start is left out by onnxruntime itself."""
    used = session.get_providers()
    if not used or used[0] == chosen.providers[0]:
        return chosen
    name = next((name for name, provider in PROVIDERS.items() if provider == used[0]), CPU)
    return Device(name, tuple(used), f"{chosen.providers[0]} could not be started on this machine")
