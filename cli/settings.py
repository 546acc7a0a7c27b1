"""Where settings come from besides flags: REEFLENS_* variables and a TOML file with one table per command.

A name that no command knows is an error, in both.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import click

from realtime.errors import SettingsError

SETTINGS_FILE = "reeflens.toml"
ENVIRONMENT_PREFIX = "REEFLENS"


def _known_settings(app: click.Group) -> dict[str, set[str]]:
    """Command name -> its settings, as they are spelt in a settings file."""
    return {name: {str(option.name) for option in command.params} for name, command in app.commands.items()}


def check_environment(app: click.Group) -> None:
    allowed = {f"{ENVIRONMENT_PREFIX}_{option.name}".upper() for option in app.params}
    allowed |= {f"{ENVIRONMENT_PREFIX}_{c}_{key}".upper() for c, keys in _known_settings(app).items() for key in keys}
    for name in sorted(os.environ):
        if name.startswith(f"{ENVIRONMENT_PREFIX}_") and name not in allowed:
            raise SettingsError(f"{name}: no such setting; the variables are REEFLENS_<COMMAND>_<OPTION>")


def read_settings(app: click.Group, path: Path) -> dict[str, Any]:
    known = _known_settings(app)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML ({error})") from error
    for command, table in tables.items():
        if command not in known or not isinstance(table, dict):
            raise SettingsError(f"{path}: [{command}] is no table of settings; there are {', '.join(sorted(known))}")
        if unknown := sorted(table.keys() - known[command]):
            raise SettingsError(
                f"{path}: {unknown[0]!r} is no setting of [{command}]; there are {', '.join(sorted(known[command]))}"
            )
        for option in app.commands[command].params:
            several = option.multiple if isinstance(option, click.Option) else option.nargs == -1
            if option.name in table and isinstance(table[option.name], list) != several:
                wanted = 'a list such as ["..."]' if several else "one value, not a list"
                raise SettingsError(f"{path}: [{command}] {option.name}: expected {wanted}")
    return tables
