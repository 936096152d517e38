"""``flowhub serve``: HTTP and gRPC beside a Dagster that runs already."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from flowhub_assets.server.backend import Backend

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", default=8000, show_default=True, help="The port of HTTP.")
@click.option("--grpc-port", default=50051, show_default=True, help="The port of gRPC; 0 is none.")
@click.option("--ui", default="http://localhost:3000", show_default=True, help="Dagster's UI, for links.")
@click.option("--workspace", type=_FILE, help="Its workspace.yaml, where it has code servers of its own.")
@click.option("--location", help="The name by which Dagster has this code; the only one of the workspace.")
@click.option("--require-token", is_flag=True, help="Ask for a token on loopback too, as elsewhere.")
@click.option("--tls-cert", type=_FILE, help="A certificate in PEM, for HTTPS and gRPC over TLS.")
@click.option("--tls-key", type=_FILE, help="Its key in PEM.")
@click.option("--cors-origin", "origins", multiple=True, help="A web page's origin that may ask; none, if left out.")
@click.option("--max-body", default=1 << 20, show_default=True, help="The most bytes of one request.")
@click.option("--rate", default=100.0, show_default=True, help="Requests a second of one address; 0 is no limit.")
@click.option("--burst", default=400, show_default=True, help="Requests of one address at once.")
def serve(
    host: str,
    port: int,
    grpc_port: int,
    ui: str,
    workspace: Path | None,
    location: str | None,
    require_token: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
    origins: tuple[str, ...],
    max_body: int,
    rate: float,
    burst: int,
) -> None:
    """Start runs over HTTP and gRPC, beside a Dagster that runs already.

    FLOWHUB_FIRST_TOKEN, where it is set, is an admin's token; others are made by `flowhub token create`.
    """
    from flowhub_assets.cli.surroundings import local_backend
    from flowhub_assets.server.access import is_loopback
    from flowhub_assets.server.rest.guard import Limits
    from flowhub_assets.server.serving import Listening, Tls
    from flowhub_assets.server.serving import serve as serve_until_told

    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together.")
    tls = Tls(tls_cert, tls_key) if tls_cert and tls_key else None
    listening = Listening(host, port, grpc_port, tls, origins, Limits(max_body, rate, burst))
    scheme = "https" if tls else "http"
    is_open = is_loopback(host) and not require_token

    def ready() -> None:
        click.echo(f"HTTP  {scheme}://{host}:{port}, its pages at {scheme}://{host}:{port}/docs")
        if grpc_port:
            click.echo(f"gRPC  {host}:{grpc_port}")
        click.echo("No token is needed on this machine." if is_open else "Each request needs a token.")

    with local_backend(ui, workspace, code_location=location, is_open=is_open) as backend:
        _keep_first_token(backend)
        serve_until_told(backend, listening, ready)


def _keep_first_token(backend: Backend) -> None:
    from flowhub_assets.store.tokens import keep_first

    token = os.environ.pop("FLOWHUB_FIRST_TOKEN", "")
    if token:
        with backend.database.begin() as connection:
            keep_first(connection, token, time.time())
