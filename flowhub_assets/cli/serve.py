"""``flowhub serve``: HTTP and gRPC beside a Dagster that runs already."""

from __future__ import annotations

import click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", default=8000, show_default=True, help="The port of HTTP.")
@click.option("--grpc-port", default=50051, show_default=True, help="The port of gRPC; 0 is none.")
@click.option("--ui", default="http://localhost:3000", show_default=True, help="Dagster's UI, for links.")
@click.option("--workspace", help="Its workspace.yaml, where it has code servers of its own.")
def serve(host: str, port: int, grpc_port: int, ui: str, workspace: str | None) -> None:
    """Start runs over HTTP and gRPC, beside a Dagster that runs already."""
    from flowhub_assets.cli.surroundings import local_backend
    from flowhub_assets.server.serving import Listening
    from flowhub_assets.server.serving import serve as serve_until_told

    with local_backend(ui, workspace) as backend:
        click.echo(f"HTTP at http://{host}:{port}, its pages at http://{host}:{port}/docs")
        serve_until_told(backend, Listening(host, port, grpc_port))
