"""The model that ships: one ONNX file and its card (README.md)."""
