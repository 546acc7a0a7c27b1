"""What a command logs, and how: lines for people, or one JSON object a line for programs; never with a secret in it."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable
from typing import Any

import click
from pythonjsonlogger.json import JsonFormatter

from realtime.addresses import HIDDEN, redact

LEVELS = ("debug", "info", "warning", "error")
_ADDRESS = re.compile(r"""[A-Za-z][A-Za-z0-9+.-]*://[^\s'"<>]+""")
_TOKEN = re.compile(r"([?&]token=)[^&\s'\"]*")
_secrets: set[str] = set()


def hide(*secrets: str | None) -> None:
    """These stand in no line from now on, wherever they come from."""
    _secrets.update(secret for secret in secrets if secret)


def log_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command --log-level and --log-format. It does not see them."""
    level = click.option(
        "--log-level",
        type=click.Choice(LEVELS),
        help="What to log to stderr; warning, or info with -v, when not given.",
        show_default=False,
        expose_value=False,
        callback=_chosen("level"),
    )
    form = click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        help="json: one object a line, with time, level, logger, message and what it is about.",
        expose_value=False,
        callback=_chosen("form"),
    )
    return level(form(command))


def configure(level: str = "warning", form: str = "text") -> None:
    """All that is logged goes to stderr, from here on like this."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def level_name() -> str:
    """What is logged now, as --log-level names it."""
    return logging.getLevelName(logging.getLogger().level).lower()


def _chosen(what: str) -> Callable[[click.Context, click.Parameter, str | None], None]:
    def apply(context: click.Context, option: click.Parameter, value: str | None) -> None:
        known = context.meta.setdefault("reeflens.logs", {})
        if value is not None:
            known[what] = value
        configure(known.get("level", level_name()), known.get("form", "text"))

    return apply


def _without_secrets(text: str) -> str:
    text = _TOKEN.sub(rf"\1{HIDDEN}", _ADDRESS.sub(lambda found: redact(found[0]), text))
    for secret in _secrets:
        text = text.replace(secret, HIDDEN)
    return text


class _Text(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return _without_secrets(super().format(record))


class _Json(JsonFormatter):
    """time: UTC, ISO 8601. A request that uvicorn logs says who asked for what in fields of its own."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        names = {"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "traceback"}
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s", rename_fields=names)

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        super().add_fields(log_data, record, message_dict)
        if record.name == "uvicorn.access" and isinstance(record.args, tuple) and len(record.args) == 5:
            client, method, path, _, status = record.args
            log_data.update(client=client, method=method, path=path, status=status)
        log_data.pop("color_message", None)  # uvicorn's, the same with colours

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return {
            name: _without_secrets(value) if isinstance(value, str) else value
            for name, value in super().process_log_record(log_data).items()
        }
