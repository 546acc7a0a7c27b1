"""The engine: a model runs, says where it ran, and a file that breaks its promise never starts."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper
from toy_onnx import LABELS, toy_contract, write_fragile_model, write_toy_model

from realtime import engine as engine_module
from realtime.engine import CPU, Engine, ProviderReport, bundled_model, read_contract
from realtime.errors import ContractError, EngineError, ProviderError


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return write_toy_model(tmp_path_factory.mktemp("model") / "toy.onnx")


def plain(*colours: tuple[int, int, int], size: int = 32) -> np.ndarray:
    return np.stack([np.full((size, size, 3), colour, np.uint8) for colour in colours])


RED, GREEN, BLUE = (250, 10, 10), (10, 250, 10), (10, 10, 250)


def test_a_batch_gives_a_row_for_each_frame(model):
    with Engine.open(model) as engine:
        out = engine.run(plain(RED, GREEN, BLUE, RED))
    assert out.probabilities.shape == (4, 3)
    assert out.unknown.shape == (4,)
    assert out.cam.shape == (4, 2, 2)
    assert {array.dtype for array in (out.probabilities, out.unknown, out.cam)} == {np.dtype(np.float32)}
    assert out.probabilities.argmax(1).tolist() == [0, 1, 2, 0]
    assert np.allclose(out.probabilities.sum(1), 1)


def test_the_map_is_of_the_class_asked_for(model):
    with Engine.open(model) as engine:
        out = engine.run(plain(RED, RED, RED), np.array([-1, 0, 2]))
    assert np.array_equal(out.cam[0], out.cam[1])
    assert out.cam[0].max() > 0
    assert out.cam[2].max() == 0  # nothing blue in a red picture: an empty map stays empty


@pytest.mark.parametrize(
    "frames",
    [
        plain(RED)[0],
        plain(RED).astype(np.float32),
        plain(RED, size=16),
        plain(RED)[:0],
        plain(RED)[..., :2],
    ],
)
def test_frames_of_another_shape_or_type_are_refused(model, frames):
    with Engine.open(model) as engine, pytest.raises(ValueError, match="expected uint8"):
        engine.run(frames)


@pytest.mark.parametrize("explain", [[3], [-2], [0, 0], [[0]], [0.0]])
def test_a_class_that_is_not_there_is_refused(model, explain):
    with Engine.open(model) as engine, pytest.raises(ValueError, match="explain"):
        engine.run(plain(RED), np.array(explain))


def test_several_threads_may_run_at_once_and_get_their_own_answers(model):
    wrong: list[int] = []
    with Engine.open(model) as engine:

        def work(label: int) -> None:
            frame = plain((RED, GREEN, BLUE)[label])
            wrong.extend(label for _ in range(50) if engine.run(frame).probabilities.argmax() != label)

        threads = [threading.Thread(target=work, args=(label,)) for label in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert wrong == []


def test_the_provider_is_the_one_that_was_seen_running(model):
    with Engine.open(model, provider="cpu") as engine:
        assert engine.provider.name == CPU
        assert engine.provider.share == 1.0
        assert not engine.provider.is_gpu
        assert engine.provider.note == ""


def test_a_fallback_to_the_cpu_says_why(model, monkeypatch):
    monkeypatch.setattr(engine_module, "usable", lambda wanted: ([], "no NVIDIA driver on this machine"))
    with Engine.open(model) as engine:
        assert engine.provider.requested == "auto"
        assert "driver" in engine.provider.note


@pytest.mark.parametrize("how", [{"provider": "cuda"}, {"require_gpu": True}, {"provider": "tensorrt"}])
def test_a_gpu_that_is_required_and_not_there_stops_everything(model, monkeypatch, how):
    monkeypatch.setattr(engine_module, "usable", lambda wanted: ([], "no NVIDIA driver on this machine"))
    with pytest.raises(ProviderError, match="driver"):
        Engine.open(model, **how)


def test_asking_for_nonsense_is_refused(model):
    with pytest.raises(ProviderError, match="abacus"):
        Engine.open(model, provider="abacus")
    with pytest.raises(ProviderError, match="drop one"):
        Engine.open(model, provider="cpu", require_gpu=True)


def test_the_contract_can_be_read_alone(model):
    assert read_contract(model) == toy_contract()


def test_no_file_is_left_by_the_probe(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Engine.open(model).close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x0a" * 400])
def test_a_file_that_is_no_model_is_refused(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ContractError, match=r"model\.onnx"):
        Engine.open(path)


def test_a_file_cut_short_is_refused(model, tmp_path):
    path = tmp_path / "cut.onnx"
    path.write_bytes(model.read_bytes()[:-300])
    with pytest.raises(ContractError):
        Engine.open(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.onnx", tmp_path):
        with pytest.raises(ContractError, match="no such model file"):
            Engine.open(path)


def test_a_model_of_somebody_else_is_refused(tmp_path):
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "other",
        [value("x", TensorProto.FLOAT, [1])],
        [value("y", TensorProto.FLOAT, [1])],
    )
    path = tmp_path / "other.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    with pytest.raises(ContractError, match="without"):
        Engine.open(path)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"labels": (*LABELS, "Whale")}, "probabilities.*4"),
        ({"input_size": 64}, "frames.*64"),
    ],
)
def test_a_contract_that_contradicts_the_graph_is_refused(tmp_path, changes, named):
    path = write_toy_model(tmp_path / "liar.onnx", contract=replace(toy_contract(), **changes))
    with pytest.raises(ContractError, match=named):
        Engine.open(path)


def change(model: Path, path: Path, edit) -> Path:
    loaded = onnx.load(model)
    edit(loaded.graph)
    onnx.save(loaded, path)
    return path


def test_a_missing_output_is_named(model, tmp_path):
    path = change(model, tmp_path / "a.onnx", lambda graph: graph.output.pop())
    with pytest.raises(ContractError, match="output 'cam': missing"):
        Engine.open(path)


def test_a_foreign_input_is_named(model, tmp_path):
    extra = helper.make_tensor_value_info("captured_eagerly", TensorProto.FLOAT, [1])
    path = change(model, tmp_path / "a.onnx", lambda graph: graph.input.append(extra))
    with pytest.raises(ContractError, match="captured_eagerly"):
        Engine.open(path)


@pytest.mark.parametrize("place", ["../outside.bin", "{folder}/outside.bin", "below/../../outside.bin", "link.bin"])
def test_weights_outside_the_models_folder_are_refused(model, tmp_path, place):
    (tmp_path / "model" / "below").mkdir(parents=True)
    (tmp_path / "model" / "link.bin").symlink_to("../outside.bin")

    def move_out(graph):
        weights = graph.initializer[0]
        (tmp_path / "outside.bin").write_bytes(weights.raw_data)
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=place.format(folder=tmp_path))

    path = change(model, tmp_path / "model" / "a.onnx", move_out)
    for load in (Engine.open, read_contract):
        with pytest.raises(ContractError, match="not an ONNX model that can be loaded"):
            load(path)


def test_a_fixed_batch_is_refused(model, tmp_path):
    def fix(graph):
        graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1

    with pytest.raises(ContractError, match="fixed at 1"):
        Engine.open(change(model, tmp_path / "a.onnx", fix))


def test_values_that_are_not_finite_are_found_by_the_probe(model, tmp_path):
    def poison(graph):
        weights = next(i for i in graph.initializer if i.name == "weights")
        weights.CopyFrom(onnx.numpy_helper.from_array(np.full((3, 3), np.nan, np.float32), "weights"))

    with pytest.raises(ContractError, match="finite"):
        Engine.open(change(model, tmp_path / "a.onnx", poison))


def test_the_model_that_ships_runs_and_knows_itself():
    with Engine.open(bundled_model(), provider="cpu") as engine:
        size, contract = engine.contract.input_size, engine.contract
        out = engine.run(np.full((2, size, size, 3), 60, np.uint8))
        assert out.cam.shape == (2, contract.cam_size, contract.cam_size)
        assert len(contract.labels) == 23
        assert contract.provenance.metrics["accuracy"] > 0.5


def family(folder: Path, *precisions: str, **changes) -> Path:
    """One model as a file for each of the precisions; they differ in what they say of themselves only."""
    for precision in precisions:
        write_toy_model(folder / f"toy-{precision}.onnx", contract=toy_contract(precision=precision, **changes))
    return folder


@pytest.mark.parametrize("named", ["", "toy", "toy.onnx"])
def test_of_a_model_in_several_precisions_int8_runs_on_a_cpu(tmp_path, named):
    family(tmp_path, "fp32", "fp16", "int8")
    with Engine.open(tmp_path / named, provider="cpu") as engine:
        assert engine.path == tmp_path / "toy-int8.onnx"
        assert engine.contract.precision == "int8"


def test_a_file_that_is_named_is_the_one_that_runs(tmp_path):
    with Engine.open(family(tmp_path, "fp32", "int8") / "toy-fp32.onnx", provider="cpu") as engine:
        assert engine.contract.precision == "fp32"


def test_where_the_gpu_turns_out_not_to_run_the_file_for_a_cpu_is_taken_and_that_is_said_once(
    tmp_path, monkeypatch, caplog
):
    """This machine's ONNX Runtime is told to try a GPU that is not there."""
    family(tmp_path, "fp32", "fp16", "int8")
    opened = []
    real = engine_module._session

    def session(path, options, providers):
        opened.append(path.name)
        return real(path, options, [CPU])

    monkeypatch.setattr(engine_module, "usable", lambda wanted: (["CUDAExecutionProvider"], ""))
    monkeypatch.setattr(engine_module, "_session", session)
    with caplog.at_level("WARNING"), Engine.open(tmp_path) as engine:
        assert engine.contract.precision == "int8"
        assert "could not use the GPU" in engine.provider.note
    assert opened[-2:] == ["toy-fp16.onnx", "toy-int8.onnx"]
    assert [record.message for record in caplog.records if "running on the CPU" in record.message] == [
        f"running on the CPU: {engine.provider.note}"
    ]


def test_warming_up_is_a_run_of_so_many_frames(model):
    with Engine.open(model, provider="cpu") as engine:
        engine.warm_up(3)
        assert engine.run(plain(RED)).probabilities.argmax() == 0


def test_tensorrt_that_was_asked_for_and_left_it_to_cuda_stops_everything(model, monkeypatch):
    """What an onnxruntime without TensorRT's libraries does: it says so in its log and goes on with CUDA."""
    monkeypatch.setattr(engine_module, "usable", lambda wanted: (["TensorrtExecutionProvider"], ""))
    real = engine_module._session
    monkeypatch.setattr(engine_module, "_session", lambda path, options, providers: real(path, options, [CPU]))
    monkeypatch.setattr(engine_module, "provider_options", lambda *facts: {})
    counted = engine_module.Counter
    monkeypatch.setattr(
        engine_module, "Counter", lambda: counted({"CUDAExecutionProvider": 10**9})
    )  # as if the profile had said so
    with pytest.raises(ProviderError, match=r"CUDA.* ran the model, not Tensorrt.*pip install tensorrt"):
        Engine.open(model, provider="tensorrt")


def test_for_recorded_frames_the_threads_are_divided_and_the_answers_stay(model):
    with (
        Engine.open(model, provider="cpu", threads=2, recorded=True) as several,
        Engine.open(model, provider="cpu", threads=2) as one,
    ):
        assert (several.at_once, one.at_once) == (2, 1)
        frames = plain(RED, GREEN, BLUE)
        assert np.array_equal(several.run(frames).probabilities, one.run(frames).probabilities)


class Gpu:
    """A session that was on a GPU, and raises what onnxruntime raises when that is gone: there is none to pull out."""

    def __init__(self, session) -> None:
        self._session = session
        self.lost = False
        self.too_many = 99

    def __getattr__(self, name):
        return getattr(self._session, name)

    def run(self, outputs, feed):
        if self.lost or len(feed["frames"]) > self.too_many:
            why = (
                "[ONNXRuntimeError] : 1 : FAIL : CUDA failure 719: unspecified launch failure ; GPU=0\nat cuda_call.cc"
            )
            raise ort.capi.onnxruntime_pybind11_state.Fail(why)
        return self._session.run(outputs, feed)


def on_gpu(model, **options) -> tuple[Engine, Gpu]:
    with Engine.open(model, provider="cpu") as opened:
        session = Gpu(opened._session)
        report = ProviderReport(options.pop("requested", "auto"), "CUDAExecutionProvider", 1.0)
        return Engine(model, session, opened.contract, report, **options), session


def test_a_gpu_that_is_lost_in_mid_run_is_replaced_by_the_cpu_once_and_loudly(model, caplog):
    engine, session = on_gpu(model, cpu_instead=True)
    told = []
    engine.on_fallback = lambda: told.append(engine.provider.name)
    before = engine.run(plain(RED, BLUE))
    session.lost = True
    after = engine.run(plain(RED, BLUE))  # not even this one is lost
    assert np.array_equal(before.probabilities, after.probabilities)
    assert engine.provider.name == CPU
    assert engine.provider.requested == "auto"
    assert engine.provider.note.startswith(
        "the GPU was lost while it ran ([ONNXRuntimeError] : 1 : FAIL : CUDA failure"
    )
    assert told == [CPU]
    engine.run(plain(GREEN))
    assert [(record.levelname, "the CPU takes its place" in record.message) for record in caplog.records] == [
        ("ERROR", True)
    ]
    assert told == [CPU]


def test_a_gpu_that_is_required_and_lost_is_said_until_it_works_again(model, caplog):
    engine, session = on_gpu(model)
    session.lost = True
    for _ in range(2):
        with pytest.raises(ProviderError, match=r"^the GPU is lost \(.* 719: .*\); start again when it is back$"):
            engine.run(plain(RED))
    assert engine.lost
    assert engine.provider.is_gpu
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    session.lost = False
    engine.run(plain(RED))
    assert engine.lost == ""


def test_too_many_frames_for_a_gpu_are_no_reason_to_leave_it(model):
    engine, session = on_gpu(model, cpu_instead=True)
    session.too_many = 2
    with pytest.raises(EngineError, match=r"3 frames .* CUDA failure 719"):
        engine.run(plain(RED, GREEN, BLUE))
    assert engine.provider.is_gpu


@pytest.mark.parametrize("bind", [False, True])
def test_a_run_that_fails_is_a_sentence_with_the_reason_and_the_next_one_is_as_before(tmp_path, bind):
    with Engine.open(write_fragile_model(tmp_path / "toy.onnx"), provider="cpu", bind=bind) as engine:
        before = engine.run(plain(RED))
        white = (255, 255, 255)
        with pytest.raises(EngineError, match=r"^toy\.onnx fails on a frame \(.*Gather.*\); `reeflens doctor") as told:
            engine.run(plain(white))
        assert "\n" not in str(told.value)
        assert told.value.__cause__ is not None
        with pytest.raises(EngineError, match="fails on 2 frames"):
            engine.run(plain(RED, white))
        assert np.array_equal(engine.run(plain(RED)).probabilities, before.probabilities)


@pytest.mark.parametrize(
    ("options", "allowed"), [({}, True), ({"require_gpu": True}, False), ({"provider": "cuda"}, False)]
)
def test_the_cpu_may_take_the_place_of_a_gpu_only_where_nobody_asked_for_one(model, monkeypatch, options, allowed):
    real = engine_module._start

    def start(path, wanted, requested, note, threads):
        session, contract, _ = real(path, [], requested, note, threads)
        return session, contract, ProviderReport(requested, "CUDAExecutionProvider", 1.0)

    monkeypatch.setattr(engine_module, "_start", start)
    with Engine.open(model, **options) as engine:
        assert engine._cpu_instead is allowed
