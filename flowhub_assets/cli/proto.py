"""``flowhub proto``: the .proto files of flows with typed params, for their clients."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowhub_assets.errors import InputError

if TYPE_CHECKING:
    from flowhub_assets.runtime.step import Runnable


@click.command()
@click.argument("pipelines", nargs=-1)
@click.option("--write", "folder", type=click.Path(file_okay=False, path_type=Path), help="Write NAME.proto there.")
@click.option("--check", is_flag=True, help="Tell whether the committed files are what the classes say; 1 if not.")
def proto(pipelines: Sequence[str], folder: Path | None, check: bool) -> None:
    """Show the .proto of each typed flow of PIPELINES, or of all; write or check it.

    A file that is there keeps the numbers of its fields: commit it beside the workflow, where the server finds it. A
    flow that is bound to a team's own .proto has no file; --check tells whether it fits.
    """
    from flowhub_assets.server.rpc.typed_files import proto_name
    from flowhub_assets.server.rpc.typed_methods import own_text, typed_method

    wrong = 0
    for runnable in _typed(pipelines):
        name = runnable.pipeline.name
        if check:
            wrong += not is_current(runnable)
        elif runnable.grpc:
            typed_method(runnable)
            click.echo(f"{name} answers {runnable.grpc}", err=True)
        elif folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / proto_name(runnable)
            path.write_text(own_text(runnable, folder), encoding="utf-8")
            click.echo(f"{name} is in {path}", err=True)
        else:
            click.echo(own_text(runnable), nl=False)
    sys.exit(1 if wrong else 0)


def is_current(runnable: Runnable) -> bool:
    """Whether the file beside the workflow is what its classes say; if not, stderr is told. Raises DefinitionError."""
    from flowhub_assets.server.rpc.typed_files import proto_name
    from flowhub_assets.server.rpc.typed_methods import own_text, typed_method

    typed_method(runnable)
    path = Path(runnable.pipeline.source.file).parent / proto_name(runnable)
    if runnable.grpc or not path.is_file() or path.read_text(encoding="utf-8") == own_text(runnable):
        return True
    click.echo(
        f"{path} is not what its classes say: flowhub proto {runnable.pipeline.name} --write {path.parent}", err=True
    )
    return False


def _typed(pipelines: Sequence[str]) -> list[Runnable]:
    from flowhub_assets.definitions import location
    from flowhub_assets.server.catalogue import Catalogue

    catalogue = Catalogue(location)
    asked = [catalogue.get(name) for name in pipelines] or catalogue.all()
    found = [entry.runnable for entry in asked if entry.runnable.params_type is not None]
    for entry in asked:
        if pipelines and entry.runnable.params_type is None:
            raise InputError(
                f"{entry.pipeline.name} takes params of no class",
                where=entry.pipeline.source,
                effect="It has no .proto; SubmitRun of flowhub.v1 starts it.",
                remedy="Write @flow(params=...) with a pydantic model or a dataclass.",
            )
    return found
