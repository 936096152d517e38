"""``flowhub schema``: what an editor needs to complete and check pipeline files."""

from __future__ import annotations

import json
from pathlib import Path

import click

from flowhub_assets.from_yaml.schema import schema as schema_of_files
from flowhub_assets.nodes.finding import load_nodes
from flowhub_assets.resources.settings import read_settings


@click.command()
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it into FILE.")
def schema(output: Path | None) -> None:
    """Print the JSON Schema of pipeline files, with all kinds of node, your own ones too.

    An editor with the YAML language server uses it where a file's first line is
    # yaml-language-server: $schema=flowhub.schema.json
    """
    for folder in read_settings().folders:
        for file in load_nodes(str(folder)):
            if file.error is not None:
                click.echo(f"Error: {file.error}", err=True)
    text = json.dumps(schema_of_files(), ensure_ascii=False, indent=2)
    if output is None:
        click.echo(text)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(f"{text}\n", encoding="utf-8")
    click.echo(f"{output}: name it in a file's first line: # yaml-language-server: $schema={output.name}")
