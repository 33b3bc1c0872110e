"""Load an ONNX graph the way this process wants it: one thread, no spinning, no chatter."""

from __future__ import annotations

import onnxruntime

from aimass.kernel.errors import Invalid


def new_session(model: bytes, folder: str = "") -> onnxruntime.InferenceSession:
    """Load a graph; data it keeps outside must lie in the folder of its package."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if folder:
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as reason:
        raise Invalid(
            f"onnxruntime cannot load the model: {str(reason)[:300]}", field="package", value=folder
        ) from reason
