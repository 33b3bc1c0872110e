"""Make ONNX models smaller or faster: how their weights are stored, computed with, and left out."""
