"""What recipes of torch share: how they learn, go on after a kill, and are written as ONNX."""
