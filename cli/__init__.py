"""The command `reeflens`: one file per group of commands; `app` wires them together."""

from cli.app import app, main

__all__ = ["app", "main"]
