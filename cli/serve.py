"""`reeflens serve`: live sources and a library of dives in the browser."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import click

from cli import logs
from cli.heap import few_arenas, give_back_now_and_then
from cli.notes import notes
from cli.options import PATH, gpu_option, model_option, provider_option
from realtime.addresses import redact
from realtime.errors import SettingsError


class OnePerLine(click.ParamType[str]):
    """A text that may hold spaces: a variable gives several of them on a line each."""

    name = "text"
    envvar_list_splitter = "\n"


@click.command()
@click.option(
    "--source",
    type=OnePerLine(),
    metavar="NAME=PLACE",
    multiple=True,
    help="A video, a folder of pictures, a camera (rtsp://, rtsps://, http://, https://, usb:0 or /dev/video0), or "
    "`scene` for the test scene; may be given again. Passwords belong into a settings file or REEFLENS_SERVE_SOURCE.",
)
@model_option
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, help="Port to listen on; 0 for any free one.")
@click.option("--token", metavar="TEXT", help="What lets people in to do everything; made where one is needed.")
@click.option("--view-token", metavar="TEXT", help="What lets people in to look and change nothing.")
@click.option("--insecure", is_flag=True, help="Let everyone in who reaches the server.")
@click.option(
    "--public-origin",
    metavar="URL",
    multiple=True,
    help="Where a proxy in front is reached, such as https://reef.example.org; may be given again.",
)
@click.option("--tls-cert", type=PATH, metavar="FILE", help="Speak https with this certificate (chain), PEM.")
@click.option("--tls-key", type=PATH, metavar="FILE", help="Its private key, PEM.")
@click.option("--max-viewers", type=click.IntRange(1), default=64, help="Most that may watch at a time.")
@click.option(
    "--max-webcams", type=click.IntRange(0), default=8, help="Most pages with a camera of their own; 0: none."
)
@click.option("--once", is_flag=True, help="Play recorded sources once instead of over and over.")
@click.option(
    "--library", type=PATH, help="Keep a library of recorded dives in this folder, with uploads and a player."
)
@click.option("--upload-limit-gb", type=float, default=64.0, help="Most that one uploaded file may have.")
@click.option("--library-quota-gb", type=float, default=0.0, help="Most that the library may hold; 0 for no limit.")
@click.option("--record", type=PATH, metavar="DIR", help="Write tables, sightings and stills here while sources run.")
@click.option(
    "--record-clips", type=float, metavar="SECONDS", help="Also record so much video before and after each sighting."
)
@provider_option
@gpu_option
@logs.log_options
def serve(
    source: tuple[str, ...],
    model: Path | None,
    host: str,
    port: int,
    token: str | None,
    view_token: str | None,
    insecure: bool,
    public_origin: tuple[str, ...],
    tls_cert: Path | None,
    tls_key: Path | None,
    max_viewers: int,
    max_webcams: int,
    once: bool,
    library: Path | None,
    upload_limit_gb: float,
    library_quota_gb: float,
    record: Path | None,
    record_clips: float | None,
    provider: str,
    require_gpu: bool,
) -> None:
    """Show live sources, and a library of recorded dives, with label and heat map in the browser."""
    few_arenas()
    give_back_now_and_then()
    import server
    from realtime.engine import bundled_model

    settings = server.ServerSettings(
        model=model or bundled_model(),
        sources=_named_sources(source),
        host=host,
        port=port,
        token=token,
        view_token=view_token,
        insecure=insecure,
        public_origins=public_origin,
        tls_cert=tls_cert,
        tls_key=tls_key,
        max_viewers=max_viewers,
        max_webcams=max_webcams,
        provider=provider,
        require_gpu=require_gpu,
        loop=not once,
        library=library,
        upload_limit=_bytes(upload_limit_gb),
        quota=_bytes(library_quota_gb),
        record=record,
        clips_s=record_clips,
    )

    logs.hide(settings.token, settings.view_token)
    # One that was given is known, and stays out of terminals and logs.
    way_in = f"?token={settings.token}" if settings.token is not None and token is None else ""

    def ready(url: str) -> None:
        print(f"Reeflens is at {url}{way_in}", flush=True)
        if (elsewhere := server.address_elsewhere(url, host)) is not None:
            print(f"From other devices: {elsewhere}{way_in}", flush=True)
        if library is not None:
            print(f"Your dives are at {url}dives{way_in}", flush=True)
        if way_in:
            notes.print("The token in these addresses lets people in; --token gives one that stays.", highlight=False)
        elif settings.insecure:
            notes.print("Whoever reaches this address may do everything (--insecure).", highlight=False)
        notes.print("Press Ctrl-C to stop.", highlight=False)

    server.serve(settings, ready, log_level=logs.level_name(), manager=os.environ.get("NOTIFY_SOCKET", ""))


def _bytes(gigabytes: float) -> int:
    return round(gigabytes * 1e9) if math.isfinite(gigabytes) else -1


def _named_sources(given: Sequence[str]) -> dict[str, str]:
    named: dict[str, str] = {}
    for text in given:
        name, equals, target = text.partition("=")
        if not equals or not name or not target:
            raise SettingsError(f"--source: expected NAME=PLACE, received {redact(text)!r}")
        if name in named:
            raise SettingsError(f"--source: two sources are called {redact(name)!r}")
        named[name] = target
    return named
