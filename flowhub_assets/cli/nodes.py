"""``flowhub nodes``: which kinds of node there are, and the page of one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from flowhub_assets.errors import FlowhubError
from flowhub_assets.nodes import Node, registry
from flowhub_assets.nodes.finding import load_nodes
from flowhub_assets.nodes.pages import first_line, page, schemas_of, write_pages
from flowhub_assets.resources.settings import read_settings


@click.command()
@click.argument("name", required=False)
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", help="json: with the JSON Schemas."
)
@click.option("--write", "folder", type=click.Path(path_type=Path), help="Write a Markdown page of each into FOLDER.")
def nodes(name: str | None, form: str, folder: Path | None) -> None:
    """List the kinds of node, your own ones too; with NAME, show the page of one.

    Your own ones are found in the folders of FLOWHUB_PIPELINES and in installed packages.
    """
    for error in _load_own():
        click.echo(f"Error: {error}", err=True)
    kinds = {name: registry.get(name)} if name else {kind.name: kind for kind in registry.all()}
    if folder is not None:
        written = write_pages({kind.name: kind for kind in registry.all()}, folder)
        click.echo(f"{len(written)} pages in {folder}")
    elif form == "json":
        facts = [schemas_of(kind) for kind in kinds.values()]
        click.echo(json.dumps(facts[0] if name else facts, ensure_ascii=False, indent=2))
    elif name:
        _print_page(page(kinds[name]))
    else:
        _print_table(kinds)


def _load_own() -> list[FlowhubError]:
    """Loads the kinds of the user's folders and packages; what is wrong with those that could not be."""
    found = [file for folder in read_settings().folders for file in load_nodes(str(folder))]
    return [*(file.error for file in found if file.error is not None), *registry.load_installed()]


def _print_page(text: str) -> None:
    if not sys.stdout.isatty():
        click.echo(text, nl=False)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(text))


def _print_table(kinds: dict[str, type[Node]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("kind", no_wrap=True)
    table.add_column("category", no_wrap=True)
    table.add_column("runs on", no_wrap=True)
    table.add_column("what it does", ratio=1)
    for kind in sorted(kinds.values(), key=lambda kind: (kind.category, kind.name)):
        table.add_row(*(Text(cell) for cell in (kind.name, kind.category, kind.run_on, first_line(kind))))
    # A file or a pipe has no width; the lines of a table are not to be broken there.
    Console(width=None if sys.stdout.isatty() else 160).print(table)
