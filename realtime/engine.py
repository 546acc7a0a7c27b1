"""Runs a Reeflens model and tells the truth about where it runs.

The provider is not asked, it is observed: at start one frame is profiled and the time of every node is booked to the
provider that executed it. ``onnxruntime.get_available_providers`` only lists what was compiled in.
"""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from realtime.binding import BoundRuns
from realtime.contract import METADATA_KEY, ModelContract
from realtime.cores import cores, side_by_side
from realtime.errors import ContractError, EngineError, ProviderError
from realtime.precisions import model_files, suited
from realtime.providers import CPU, CUDA, REQUESTS, provider_options, usable

log = logging.getLogger(__name__)

SILENT = 4  # onnxruntime raises what it logs; its lines would only stand before our sentence
GPU_AT_ONCE = 2  # of recorded frames: one computes while the other's answers are written down
OUTPUTS = ["probabilities", "unknown", "cam"]
BOUND_TOLERANCE = 1e-3  # a GPU may add up in another order from run to run


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What the graph returned: probabilities float32 [N, C], unknown float32 [N], cam float32 [N, G, G] >= 0."""

    probabilities: NDArray[np.float32]
    unknown: NDArray[np.float32]
    cam: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """Where the probe frame ran.

    requested: "auto", "cpu", "cuda" or "tensorrt". name: the provider that took most of the time.
    share: its part of the node run time, 0..1. note: why it is not the one hoped for, or no longer the one it began
    on; empty when it is.
    """

    requested: str
    name: str
    share: float
    note: str = ""

    @property
    def is_gpu(self) -> bool:
        """Whether the frame ran on a GPU."""
        return self.name != CPU


class Engine:
    """A loaded model. ``run`` may be called from several threads at once; use as a context manager.

    A GPU that is lost in mid-run (it runs not even the probe frame any more) is replaced by the CPU once, loudly, where
    ``cpu_instead`` allows that: ``provider`` says so from then on, and ``on_fallback``, an attribute to set, is called
    on the thread that ran. Else ``lost`` says why, until a run succeeds. at_once: how many threads get the most out of
    it.
    """

    def __init__(
        self,
        path: Path,
        session: Any,
        contract: ModelContract,
        provider: ProviderReport,
        *,
        cpu_instead: bool = False,
        threads: int | None = None,
        at_once: int = 1,
        bound: BoundRuns | None = None,
    ) -> None:
        self.path = path
        self.contract = contract
        self.provider = provider
        self.at_once = at_once
        self.sha256 = _sha256(path)
        self.lost = ""
        self.on_fallback: Callable[[], object] = lambda: None
        self._session = session
        self._bound = bound
        self._cpu_instead = cpu_instead
        self._threads = threads
        self._falling_back = threading.Lock()

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        provider: str = "auto",
        require_gpu: bool = False,
        threads: int | None = None,
        recorded: bool = False,
        bind: bool | None = None,
    ) -> Engine:
        """Loads the model at ``path``, checks its contract against its graph, and runs one frame.

        path: a file, or a folder or a NAME with one file for each precision (``realtime.precisions``), of which the one
        is taken that suits what runs it. provider: "auto" takes CUDA where a driver is present, else the CPU, and goes
        on there when the GPU is lost later, unless ``require_gpu``. threads: CPU threads, default one per physical
        core; all work on one run. recorded: frames are there in plenty, so that the threads are divided among several
        runs side by side, ``at_once``: each takes longer, together they do more. bind: run on memory that is kept
        between runs (``realtime.binding``), by default on a GPU only.
        Raises ContractError for a file that is not ours or contradicts itself, and ProviderError when the provider
        asked for by name, or any GPU with ``require_gpu``, did not run the frame.
        """
        path = Path(path)
        if provider not in REQUESTS:
            raise ProviderError(f"provider {provider!r}: expected one of {', '.join(REQUESTS)}")
        if require_gpu and provider == "cpu":
            raise ProviderError("a GPU is required and the CPU was asked for; drop one of the two")
        wanted, note = usable(REQUESTS[provider])
        files = model_files(path)
        contracts = {file: read_contract(file) for file in files} if len(files) > 1 else {}
        chosen = suited(contracts, gpu=bool(wanted)) if contracts else files[0]
        at_once, in_all = 1, threads
        if recorded:
            in_all = threads or cores()
            at_once, threads = side_by_side(in_all)
        session, contract, report = _start(chosen, wanted, provider, note, threads)
        if not report.is_gpu and (require_gpu or provider in ("cuda", "tensorrt")):
            raise ProviderError(f"no GPU ran the model: {report.note}")
        if provider in ("cuda", "tensorrt") and report.name != REQUESTS[provider][0]:
            raise ProviderError(f"{report.name} ran the model, not {REQUESTS[provider][0]}: {report.note}")
        if not report.is_gpu and provider == "auto":
            # A GPU that is there and fails is news; none being there is not.
            log.log(logging.WARNING if wanted else logging.INFO, "running on the CPU: %s", report.note)
        if wanted and not report.is_gpu and contracts and (other := suited(contracts, gpu=False)) != chosen:
            chosen = other
            session, contract, report = _start(chosen, [], provider, report.note, threads)
        if recorded and report.is_gpu:
            at_once, threads = GPU_AT_ONCE, max(1, (in_all or 1) // GPU_AT_ONCE)
        bound = _bound(session, contract, report) if (report.is_gpu if bind is None else bind) else None
        allowed = provider == "auto" and not require_gpu
        return cls(
            chosen, session, contract, report, cpu_instead=allowed, threads=threads, at_once=at_once, bound=bound
        )

    def run(self, frames: NDArray[np.uint8], explain: NDArray[np.int64] | None = None) -> Prediction:
        """Classifies and explains uint8 [N, S, S, 3] RGB frames, N >= 1.

        explain: int64 [N], the class each map is for, -1 (the default) for the most probable one.
        A GPU on which a run failed, and which is not lost, gets a second try. Raises ValueError for other shapes,
        dtypes or class numbers, ProviderError when the GPU is lost, and EngineError when the run fails.
        """
        size = self.contract.input_size
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[1:] != (size, size, 3) or not len(frames):
            raise ValueError(f"frames: expected uint8 [N, {size}, {size}, 3], received {frames.dtype} {frames.shape}")
        if explain is None:
            explain = np.full(len(frames), -1, np.int64)
        elif explain.shape != (len(frames),) or not np.issubdtype(explain.dtype, np.integer):
            raise ValueError(f"explain: expected int64 [{len(frames)}], received {explain.dtype} {explain.shape}")
        elif explain.min() < -1 or explain.max() >= len(self.contract.labels):
            raise ValueError(f"explain: expected -1 to {len(self.contract.labels) - 1}, received {explain.tolist()}")
        feed: dict[str, NDArray[Any]] = {"frames": np.ascontiguousarray(frames)}
        feed["explain"] = explain.astype(np.int64, copy=False)
        try:
            return self._tried(feed)
        except (ProviderError, MemoryError):  # the second is for whoever knows how much there was to be had
            raise
        except Exception as error:  # onnxruntime has a dozen unrelated classes
            count = f"{len(frames)} frames" if len(frames) > 1 else "a frame"
            raise EngineError(
                f"{self.path.name} fails on {count} ({_reason(error)}); "
                "`reeflens doctor --model FILE` tells whether it runs at all"
            ) from error

    def _tried(self, feed: dict[str, NDArray[Any]]) -> Prediction:
        """Raises what onnxruntime does."""
        session = self._session
        try:
            prediction = self._run(feed)
        except Exception as error:
            if not self._replaced(session, error) and not self.provider.is_gpu:
                raise
            return self._run(feed)
        self.lost = ""
        return prediction

    def _run(self, feed: dict[str, NDArray[Any]]) -> Prediction:
        session, bound = self._session, self._bound  # in this order: who replaces them sets the memory first
        return Prediction(*(bound.run(feed) if bound else session.run(OUTPUTS, feed)))

    def _replaced(self, session: Any, error: Exception) -> bool:
        """Whether another session took the place of one that failed. Raises ProviderError when none may."""
        with self._falling_back:
            if self._session is not session:
                return True
            if not self.provider.is_gpu or _runs(session, self.contract):
                return False
            why = _reason(error)
            if not self._cpu_instead:
                if not self.lost:
                    log.error("the GPU is lost: %s", why)
                self.lost = f"the GPU is lost ({why}); start again when it is back"
                raise ProviderError(self.lost) from error
            before = self.provider
            note = f"the GPU was lost while it ran ({why}); start again when it is back"
            log.error("%s is lost, and the CPU takes its place, slower: %s", before.name, why)
            # With the same file, though another may suit a CPU better: one dive is of one model.
            replacement, _, report = _start(self.path, [], before.requested, note, self._threads)
            self._bound = None
            self._session, self.provider = replacement, report
        self.on_fallback()
        return True

    def warm_up(self, frames: int) -> None:
        """Runs so many frames at once, so that the first real batch finds its memory taken and its kernels chosen."""
        size = self.contract.input_size
        self.run(np.zeros((frames, size, size, 3), np.uint8))

    def close(self) -> None:
        """Frees the session; ``run`` must not be called afterwards."""
        self._session = self._bound = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _reason(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__


def read_contract(path: Path | str) -> ModelContract:
    """The contract of a model file, without preparing it to run. Raises ContractError."""
    options = ort.SessionOptions()
    options.log_severity_level = SILENT
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return _contract_of(_session(Path(path), options, [CPU]), Path(path))


def bundled_model() -> Path:
    """The model that ships with Reeflens. Raises ContractError when this installation has none."""
    models = sorted(Path(str(entry)) for entry in files("models").iterdir() if entry.name.endswith(".onnx"))
    if not models:
        raise ContractError("no model ships with this installation; name one with --model")
    return models[0]


def _start(
    path: Path, wanted: list[str], requested: str, note: str, threads: int | None
) -> tuple[Any, ModelContract, ProviderReport]:
    """A session that has run its first frame, which also took the memory for more of them.

    On the CPU, with the reason in the report's note, where a wanted provider is there and fails at that.
    """
    try:
        return _started(path, wanted, requested, note, threads)
    except ContractError as error:
        if not wanted:
            raise
        # The file is to blame when this fails, too.
        note = f"{wanted[0]} failed at the first frame ({_reason(error.__cause__ or error)})"
        return _started(path, [], requested, note, threads)


def _started(
    path: Path, wanted: list[str], requested: str, note: str, threads: int | None
) -> tuple[Any, ModelContract, ProviderReport]:
    with tempfile.TemporaryDirectory(prefix="reeflens-probe-") as folder:
        options = ort.SessionOptions()
        options.log_severity_level = SILENT
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "probe")
        # Idle threads would spin: at 20 frames/s that burnt 64 ms of processor time a frame instead of 27, taken
        # from decoding, drawing and the browser beside it; at full speed it gained 1 %.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if threads is not None:
            options.intra_op_num_threads = threads
        session = _session(path, options, [*_set_up(path, wanted), CPU])
        contract = _contract_of(session, path)
        _check_graph(session, contract)
        return session, contract, _probe(session, contract, requested, note)


def _set_up(path: Path, wanted: list[str]) -> list[tuple[str, dict[str, str]]]:
    """The GPU providers to try, with their options."""
    if not wanted:
        return []
    contract, sha256 = read_contract(path), _sha256(path)
    try:
        return [(name, provider_options(name, contract, sha256)) for name in wanted]
    except OSError as error:
        raise ProviderError(
            f"{error.filename}: TensorRT needs this folder ({error.strerror}); set XDG_CACHE_HOME"
        ) from (error)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _session(path: Path, options: Any, providers: list[Any]) -> Any:
    if not path.is_file():
        raise ContractError(f"{path}: no such model file")
    try:
        # Its own falling back prints to stdout, and goes on as if nothing were.
        return ort.InferenceSession(str(path), options, providers=providers, enable_fallback=0)
    except Exception as error:  # onnxruntime raises a dozen unrelated classes for a file it cannot use
        raise ContractError(f"{path}: not an ONNX model that can be loaded ({_reason(error)})") from error


def _contract_of(session: Any, path: Path) -> ModelContract:
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise ContractError(f"{path}: an ONNX model without {METADATA_KEY}; make one with `reeflens export`")
    return ModelContract.from_json(text)


def _check_graph(session: Any, contract: ModelContract) -> None:
    """Every tensor of the contract is in the graph with its type and shape, and no other input is."""
    size, cam, classes = contract.input_size, contract.cam_size, len(contract.labels)
    expected_inputs = {"frames": ("tensor(uint8)", (size, size, 3)), "explain": ("tensor(int64)", ())}
    expected_outputs = {
        "probabilities": ("tensor(float)", (classes,)),
        "unknown": ("tensor(float)", ()),
        "cam": ("tensor(float)", (cam, cam)),
    }
    inputs = {arg.name: arg for arg in session.get_inputs()}
    outputs = {arg.name: arg for arg in session.get_outputs()}
    if foreign := sorted(inputs.keys() - expected_inputs.keys()):
        raise ContractError(f"input {foreign[0]!r}: not in the contract")
    for kind, found, expected in (("input", inputs, expected_inputs), ("output", outputs, expected_outputs)):
        for name, (dtype, tail) in expected.items():
            if name not in found:
                raise ContractError(f"{kind} {name!r}: missing from the graph")
            arg = found[name]
            if arg.type != dtype:
                raise ContractError(f"{kind} {name!r}: expected {dtype}, received {arg.type}")
            if len(arg.shape) != 1 + len(tail) or any(
                isinstance(got, int) and got != want for got, want in zip(arg.shape[1:], tail, strict=True)
            ):
                shape = ", ".join(map(str, tail))
                raise ContractError(
                    f"{kind} {name!r}: expected shape [N, {shape}] by contract, received {arg.shape} in the graph; "
                    "export the model again"
                )
            if isinstance(arg.shape[0], int):
                raise ContractError(f"{kind} {name!r}: the batch is fixed at {arg.shape[0]}, expected any N")


def _runs(session: Any, contract: ModelContract) -> bool:
    """Whether it runs the probe frame: what failed was another frame then, or too many of them at once."""
    try:
        session.run(OUTPUTS, _first_feed(contract))
    except Exception:
        return False
    return True


def _probe(session: Any, contract: ModelContract, requested: str, note: str) -> ProviderReport:
    try:
        outputs = session.run(OUTPUTS, _first_feed(contract))
    except Exception as error:  # as above: unrelated classes
        raise ContractError(f"the model fails on its first frame ({_reason(error)})") from error
    spent: Counter[str] = Counter()
    # Parsed in full although only sums are needed: one frame writes some 50 kB.
    for event in json.loads(Path(session.end_profiling()).read_text(encoding="utf-8")):
        if event.get("cat") == "Node" and "provider" in event.get("args", {}):
            spent[event["args"]["provider"]] += int(event.get("dur", 0)) + 1  # +1: sub-microsecond nodes count
    _check_outputs(outputs, contract)
    name, most = spent.most_common(1)[0] if spent else (CPU, 1)
    if name == CPU and not note and requested != "cpu":
        note = "onnxruntime could not use the GPU; check that CUDA and cuDNN match (`pip install reeflens[cuda]`)"
    if requested == "tensorrt" and name == CUDA:
        note = "onnxruntime could not use TensorRT; check that it is installed (`pip install tensorrt`)"
    elif name != CPU:
        note = ""
    return ProviderReport(requested, name, most / (spent.total() or 1), note)


def _first_feed(contract: ModelContract) -> dict[str, NDArray[Any]]:
    size = contract.input_size
    ramp = np.linspace(0, 255, size, dtype=np.uint8)
    frame = np.broadcast_to(ramp[None, None, :, None], (1, size, size, 3))
    return {"frames": np.ascontiguousarray(frame), "explain": np.array([-1], np.int64)}


def _bound(session: Any, contract: ModelContract, report: ProviderReport) -> BoundRuns | None:
    """Memory kept between runs, when the first frame gives the same on it; a GPU that cannot do it runs without."""
    bound, feed = BoundRuns(session, contract, "cuda" if report.is_gpu else "cpu"), _first_feed(contract)
    try:
        pairs = zip(bound.run(feed), session.run(OUTPUTS, feed), strict=True)
        if all(np.allclose(ours, truth, atol=BOUND_TOLERANCE) for ours, truth in pairs):
            return bound
        log.warning("the GPU answers otherwise on memory that is kept between runs; each run takes its own")
    except Exception:  # as above: unrelated classes
        log.warning("no memory is kept between runs; each takes its own", exc_info=True)
    return None


def _check_outputs(outputs: list[NDArray[Any]], contract: ModelContract) -> None:
    shapes = [(1, len(contract.labels)), (1,), (1, contract.cam_size, contract.cam_size)]
    for name, value, shape in zip(OUTPUTS, outputs, shapes, strict=True):
        if value.shape != shape:
            raise ContractError(f"output {name!r}: expected shape {list(shape)}, received {list(value.shape)}")
        if not np.isfinite(value).all():
            raise ContractError(f"output {name!r}: the probe frame gave values that are not finite")
    if abs(float(outputs[0].sum()) - 1.0) > 1e-3:
        raise ContractError(f"output 'probabilities': expected a sum of 1, received {float(outputs[0].sum()):.4f}")
