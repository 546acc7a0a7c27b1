"""Where settings come from besides flags: REEFLENS_* variables and a TOML file with one table per command.

A command within a group has its own table in the group's, [data.check], and both names in its variables,
REEFLENS_DATA_CHECK_OUT. A name that no command knows is an error, in both.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from realtime.errors import SettingsError

SETTINGS_FILE = "reeflens.toml"
ENVIRONMENT_PREFIX = "REEFLENS"


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command under ``group`` with the names that lead to it; groups too, which may have options of their own."""
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))


def check_environment(app: click.Group) -> None:
    """Raises SettingsError for a REEFLENS_* variable that is no command's option."""
    known = [((), app), *_commands(app)]
    allowed = {
        "_".join((ENVIRONMENT_PREFIX, *path, str(option.name))).replace("-", "_").upper()
        for path, command in known
        for option in command.params
    }
    for name in sorted(os.environ):
        if name.startswith(f"{ENVIRONMENT_PREFIX}_") and name not in allowed:
            raise SettingsError(f"{name}: no such setting; the variables are REEFLENS_<COMMAND>_<OPTION>")


def read_settings(app: click.Group, path: Path) -> dict[str, Any]:
    """The tables of a settings file, as click's ``default_map``. Raises SettingsError for what is no option."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: not TOML ({error})") from error
    for name, table in tables.items():
        if name not in app.commands or not isinstance(table, dict):
            raise SettingsError(
                f"{path}: [{name}] is no table of settings; there are {', '.join(sorted(app.commands))}"
            )
        _check_table(path, name, app.commands[name], table)
    return tables


def _check_table(path: Path, name: str, command: click.Command, table: dict[str, Any]) -> None:
    inner = command.commands if isinstance(command, click.Group) else {}
    known = {str(option.name) for option in command.params} | inner.keys()
    if unknown := sorted(table.keys() - known):
        raise SettingsError(f"{path}: {unknown[0]!r} is no setting of [{name}]; there are {', '.join(sorted(known))}")
    for key, below in inner.items():
        if key in table:
            if not isinstance(table[key], dict):
                raise SettingsError(f"{path}: [{name}] {key}: expected a table [{name}.{key}]")
            _check_table(path, f"{name}.{key}", below, table[key])
    for option in command.params:
        several = option.multiple if isinstance(option, click.Option) else option.nargs == -1
        if option.name in table and isinstance(table[option.name], list) != several:
            wanted = 'a list such as ["..."]' if several else "one value, not a list"
            raise SettingsError(f"{path}: [{name}] {option.name}: expected {wanted}")
