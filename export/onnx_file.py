"""Turns the tf.function into an ONNX file that carries its contract."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from export.flip import flip_in_weights
from realtime.contract import METADATA_KEY, ModelContract
from realtime.errors import ExportError

# The newest opset that tf2onnx, ONNX Runtime's quantiser and other runtimes (OpenVINO, TensorRT) all know well.
OPSET = 17
INPUTS = ("frames", "explain")


def convert(function: Any) -> onnx.ModelProto:
    """The ONNX model of ``graph.deployed``'s tf.function, weights inside. Raises ExportError.

    The function is frozen first: constants that layers made when they were built (those of Normalization, say) are
    captured by the trace, and tf2onnx would turn each of them into one more input of the graph.
    """
    traced = function.get_concrete_function()
    frozen = convert_variables_to_constants_v2(traced)

    def named(frames: tf.Tensor, explain: tf.Tensor) -> Any:
        return tf.nest.pack_sequence_as(traced.structured_outputs, frozen(frames, explain))

    wrapped = tf.function(named, input_signature=function.input_signature)
    with _complaints() as complaints:
        model, _ = tf2onnx.convert.from_function(
            wrapped,
            input_signature=function.input_signature,
            opset=OPSET,
            custom_op_handlers={"ReverseV2": (_reverse_by_gather, [])},
        )
    if complaints:
        raise ExportError(f"tf2onnx could not convert the model: {complaints[0]}")
    inputs = [value.name for value in model.graph.input]
    if sorted(inputs) != sorted(INPUTS):
        raise ExportError(f"the converted graph has inputs {', '.join(inputs)}; expected {', '.join(INPUTS)}")
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    flip_in_weights(model)
    return model


def save(model: onnx.ModelProto, contract: ModelContract, path: Path) -> None:
    """Writes the model with ``contract`` as its only metadata, when ONNX's own check passes. Raises ExportError."""
    onnx.helper.set_model_props(model, {METADATA_KEY: contract.to_json()})
    model.doc_string = ""  # names a temporary function
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"the converted graph is not valid ONNX: {str(error).strip().splitlines()[0]}") from error
    path.write_bytes(model.SerializeToString())


def _reverse_by_gather(graph: Any, node: Any, name: str, args: Any) -> Any:
    """RGB to BGR as one Gather, where tf2onnx would make two transposes, a shape computation and ReverseSequence."""
    (axis,) = node.inputs[1].get_tensor_value()
    length = graph.get_shape(node.input[0])[axis]
    backwards = graph.make_const(f"{name}_backwards", np.arange(length - 1, -1, -1, dtype=np.int64))
    shapes, dtypes = node.output_shapes, node.output_dtypes
    graph.remove_node(name)
    return graph.make_node(
        "Gather",
        [node.input[0], backwards.output[0]],
        name=name,
        outputs=node.output,
        attr={"axis": axis},
        shapes=shapes,
        dtypes=dtypes,
    )


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """Collects what tf2onnx logs as an error: it says "unsupported" there and goes on to write an invalid graph."""
    messages: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage().splitlines()[0])

    logger, handler = logging.getLogger("tf2onnx"), Collect(logging.ERROR)
    logger.addHandler(handler)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
