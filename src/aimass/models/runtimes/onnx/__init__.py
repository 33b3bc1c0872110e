"""The ONNX runtime: trusted graphs, run inline."""
