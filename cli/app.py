"""The command `reeflens`: reads settings, wires the rooms together, turns errors into a sentence and an exit code.

Results go to stdout, progress and logs to stderr. Exit codes: 0 done, 1 the work failed, 2 wrong usage,
130 interrupted.
Settings come from flags, then REEFLENS_* variables (REEFLENS_SERVE_PORT), then a TOML file with one table per command.
Each command imports what it needs when it runs, so that `serve` starts without tensorflow.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from cli import logs
from cli.add import add
from cli.bench import bench
from cli.calibrate import calibrate
from cli.data import data
from cli.doctor import doctor
from cli.models import evaluate, export, train
from cli.notes import notes
from cli.options import PATH
from cli.recorded import collect, process
from cli.serve import serve
from cli.settings import ENVIRONMENT_PREFIX, SETTINGS_FILE, check_environment, read_settings
from cli.slim import slim
from cli.tune import tune
from realtime.errors import ReeflensError, SettingsError


@click.group(
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": ENVIRONMENT_PREFIX,
        "show_default": True,
        "max_content_width": 100,
    }
)
@click.option("--config", type=PATH, help=f"Settings file; ./{SETTINGS_FILE} when there is one.")
@click.option("-v", "--verbose", is_flag=True, help="Log what happens to stderr.")
@click.version_option(package_name="reeflens", prog_name="reeflens", message="%(prog)s %(version)s")
@click.pass_context
def app(context: click.Context, config: Path | None, verbose: bool) -> None:
    """Says frame by frame what animal an underwater video shows, and shows where it looked."""
    logs.configure("info" if verbose else "warning")
    check_environment(app)
    if config is not None or Path(SETTINGS_FILE).is_file():
        context.default_map = read_settings(app, config or Path(SETTINGS_FILE))


for command in (
    *(process, add, collect, serve),
    *(data, train, tune, slim, export, calibrate, evaluate),
    *(bench, doctor),
):
    app.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits with its code."""
    signal.signal(signal.SIGTERM, _interrupt)  # a stop by a service manager leaves what Ctrl-C leaves
    try:
        code = app.main(
            prog_name="reeflens", args=list(sys.argv[1:] if arguments is None else arguments), standalone_mode=False
        )
    except ReeflensError as error:
        notes.print(f"error: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        code = 2 if isinstance(error, SettingsError) else 1
    except (KeyboardInterrupt, click.Abort):
        notes.print("interrupted", highlight=False)
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except BrokenPipeError:  # `reeflens process … | head`: nobody reads on, which is no failure
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code or 0)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
