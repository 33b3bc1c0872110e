"""The Python runtime: pipelines of scikit-learn and LightGBM that do not convert to ONNX; run in isolated workers."""
