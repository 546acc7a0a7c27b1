"""A teacher for `reeflens train`: a linear head on a network that has learnt to see elsewhere (a linear probe).

    python bench/teacher.py NETWORK.onnx TRAIN VAL --out teacher.onnx [--input-size 224] [--mean M M M] [--std S S S]

NETWORK: as PyTorch exports one without its last layer: float32 [N, 3, S, S] RGB as (0..1 - mean) / std in, features
float32 [N, D] out. TRAIN, VAL: class-per-folder trees. The network itself learns nothing. How strongly the head is held
back is what is best on VAL; of the pictures that it learns from it would otherwise only say what their labels say.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression

from export.wrap import MEAN, STD, wrap
from realtime.errors import ReeflensError
from training.photographs import Photographs, find_photographs, load_photographs
from training.progress import PlainLines, Reporter

STRENGTHS = (0.0003, 0.001, 0.003, 0.01, 0.03)  # scikit-learn's C
BATCH = 32
STEPS = 300  # of L-BFGS, at most


def features(
    network: Path, photographs: Photographs, mean: NDArray[np.float32], std: NDArray[np.float32], reporter: Reporter
) -> NDArray[np.float32]:
    """What the network says of every picture, float32 [N, D]."""
    session = ort.InferenceSession(network, providers=ort.get_available_providers())
    name = session.get_inputs()[0].name
    parts = []
    reporter.begin("features of the network", len(photographs.pixels))
    for first in range(0, len(photographs.pixels), BATCH):
        rgb = photographs.pixels[first : first + BATCH].astype(np.float32) / 255
        planes = np.ascontiguousarray(((rgb - mean) / std).transpose(0, 3, 1, 2))
        parts.append(session.run(None, {name: planes})[0])
        reporter.advance(len(rgb))
    return np.concatenate(parts).astype(np.float32)


def with_head(network: onnx.ModelProto, weights: NDArray[np.float32], bias: NDArray[np.float32]) -> onnx.ModelProto:
    """The network with logits = features @ weights + bias as its output. weights: float32 [D, C]."""
    graph = network.graph
    tensors = {"head/weights": weights, "head/bias": bias}
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in tensors.items())
    graph.node.append(helper.make_node("Gemm", [graph.output[0].name, *tensors], ["head/logits"]))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("head/logits", TensorProto.FLOAT, ["N", len(bias)]))
    return network


def main() -> None:
    """Fits the head and writes the teacher."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path, metavar="NETWORK.onnx")
    parser.add_argument("train", type=Path, metavar="TRAIN")
    parser.add_argument("val", type=Path, metavar="VAL")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")
    parser.add_argument("--input-size", type=int, default=224, help="S, a multiple of 16")
    parser.add_argument("--mean", type=float, nargs=3, default=MEAN)
    parser.add_argument("--std", type=float, nargs=3, default=STD)
    given = parser.parse_args()
    reporter = PlainLines()
    mean, std = np.array(given.mean, np.float32), np.array(given.std, np.float32)
    try:
        found = find_photographs([given.train])
        sides = [found.files, find_photographs([given.val], found.labels).files]
        train, held = (load_photographs(files, given.input_size, reporter)[0] for files in sides)
        x, x_held = (features(given.network, side, mean, std, reporter) for side in (train, held))
        centre, scale = x.mean(axis=0), x.std(axis=0) + 1e-3  # a feature that hardly moves says nothing
        best, accuracy = None, 0.0
        for strength in STRENGTHS:
            fitted = LogisticRegression(C=strength, max_iter=STEPS).fit((x - centre) / scale, train.labels)
            right = float((fitted.predict((x_held - centre) / scale) == held.labels).mean())
            reporter.say(f"C {strength}: {right:.1%} of VAL")
            if right > accuracy:
                best, accuracy = fitted, right
        if best is None:
            raise ReeflensError("no picture of VAL was named right")
        weights = (best.coef_ / scale).T.astype(np.float32)
        bias = (best.intercept_ - centre @ weights).astype(np.float32)
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / given.network.name
            onnx.save(with_head(onnx.load(given.network), weights, bias), whole)
            wrap(whole, given.out, found.labels, given.input_size, mean=given.mean, std=given.std)
    except ReeflensError as error:
        sys.exit(f"error: {error}")
    print(f"{given.out}: {accuracy:.1%} of {len(held.labels)} pictures of VAL")


if __name__ == "__main__":
    main()
