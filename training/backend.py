"""Loads Keras with its backend in silence: tensorflow greets on the descriptor, past every log level."""

from __future__ import annotations

import importlib
import logging
import os
import sys


def load_backend() -> None:
    """Imports keras. Its errors come through; what its backend writes to stderr meanwhile does not."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        importlib.import_module("keras")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
