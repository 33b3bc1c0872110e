"""Load an ONNX graph the way this process wants it: one thread, no spinning, no chatter."""

from __future__ import annotations

import onnxruntime

from aimass.infra.devices import CPU, Device, device_of, device_used
from aimass.kernel.errors import Invalid


def new_session(model: bytes, folder: str = "", device: str = CPU) -> onnxruntime.InferenceSession:
    """Load a graph for a device; data it keeps outside must lie in the folder of its package."""
    return session_on(model, folder, device)[0]


def session_on(model: bytes, folder: str, device: str) -> tuple[onnxruntime.InferenceSession, Device]:
    """Load a graph for a device, and tell on which one it runs."""
    chosen = device_of(device, onnxruntime.get_available_providers())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if folder:
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
    try:
        session = onnxruntime.InferenceSession(model, options, providers=list(chosen.providers))
    except Exception as reason:
        raise Invalid(
            f"onnxruntime cannot load the model: {str(reason)[:300]}", field="package", value=folder
        ) from reason
    return session, device_used(chosen, session)
