"""``flowhub``: one command, one file of this folder for each verb."""

from __future__ import annotations

import sys

import click

from flowhub_assets.cli.check import check
from flowhub_assets.cli.demo import demo
from flowhub_assets.cli.demo_services import run_with_services
from flowhub_assets.cli.nodes import nodes
from flowhub_assets.cli.run import run
from flowhub_assets.cli.schema import schema
from flowhub_assets.errors import FlowhubError


@click.group()
def flowhub() -> None:
    """Pipelines written once, run on a laptop, in Dagster, on Kubernetes."""


flowhub.add_command(check)
flowhub.add_command(demo)
flowhub.add_command(run_with_services)
flowhub.add_command(nodes)
flowhub.add_command(run)
flowhub.add_command(schema)


def main() -> None:
    """The console script ``flowhub``: an error of ours is told in its own words, exit code 1."""
    try:
        flowhub()
    except FlowhubError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
