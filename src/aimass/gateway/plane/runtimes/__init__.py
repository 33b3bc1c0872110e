"""How a package is run: inline (ONNX), or in an isolated worker behind a socket (Python)."""
