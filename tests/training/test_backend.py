"""Tensorflow's greetings do not stand before our sentences."""

import os
import subprocess
import sys
from pathlib import Path


def test_loading_the_backend_is_silent_and_stderr_works_again_afterwards() -> None:
    program = "import sys; from training.backend import load_backend; load_backend(); print('ours', file=sys.stderr)"
    clean = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        env=clean,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr.splitlines() == ["ours"]
