"""What is read from files cannot run: no pickles, Keras in its safe mode, ffmpeg told what it may open."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("realtime", "dives", "training", "export", "serving", "cli", "bench")
CODE = [ROOT / "server.py", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))]
PICKLES = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "torch", "yaml"}


def calls(name: str) -> list[tuple[Path, ast.Call]]:
    """Every call of something that ends in ``name``, such as np.load."""
    return [
        (path, node)
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(name)
    ]


def given(call: ast.Call, name: str) -> str:
    return next((ast.unparse(each.value) for each in call.keywords if each.arg == name), "")


def test_nothing_is_unpickled() -> None:
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found = PICKLES.intersection(name.partition(".")[0] for name in names)
            assert not found or (found == {"torch"} and path.name == "rivals.py"), path  # timed, and loads nothing
    assert not calls("torch.load")
    loads = calls("np.load")
    assert len(loads) >= 4
    for path, call in loads:
        assert given(call, "allow_pickle") == "False", f"{path}:{call.lineno}"


def test_keras_loads_in_its_safe_mode() -> None:
    loads = calls("load_model")
    assert loads
    for path, call in loads:
        assert given(call, "safe_mode") == "True", f"{path}:{call.lineno}"
    assert not calls("enable_unsafe_deserialization")


def test_ffmpeg_is_told_what_it_may_open_wherever_it_reads() -> None:
    reads = [
        (path, call)
        for path, call in calls("av.open")
        if "bench" not in path.parts
        and not any(ast.unparse(each) in ("'w'", '"w"') for each in call.args[1:])
        and given(call, "mode") != "'w'"
    ]
    assert len(reads) >= 4
    for path, call in reads:
        source = path.read_text(encoding="utf-8")
        assert given(call, "options"), f"{path}:{call.lineno}"
        assert "protocol_whitelist" in given(call, "options") or "protocol_whitelist" in source, f"{path}:{call.lineno}"
