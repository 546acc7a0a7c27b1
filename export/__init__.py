"""Run folder in, model.onnx out: one graph that classifies and explains."""
