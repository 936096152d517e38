"""``flowhub``: one command, one file of this folder for each verb."""

from __future__ import annotations

import importlib
import sys

import click

from flowhub_assets.errors import FlowhubError

#: A verb → its file here, and the command in it. It is imported when it is asked for: one needs Dagster, most do not.
VERBS = {
    "audit": ("token", "audit"),
    "cancel": ("cancel", "cancel"),
    "check": ("check", "check"),
    "demo": ("demo", "demo"),
    "demo-services": ("demo_services", "run_with_services"),
    "deploy": ("deploy", "deploy"),
    "dev": ("dev", "dev"),
    "export": ("export", "export"),
    "forget": ("forget", "forget"),
    "logs": ("logs", "logs"),
    "nodes": ("nodes", "nodes"),
    "queue": ("queue", "queue"),
    "retry": ("retry", "retry"),
    "proto": ("proto", "proto"),
    "run": ("run", "run"),
    "runs": ("runs", "runs"),
    "schema": ("schema", "schema"),
    "serve": ("serve", "serve"),
    "token": ("token", "token"),
}


class Verbs(click.Group):
    """The commands of VERBS."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        """Their names, in the order in which the help shows them."""
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - see above
        """The command of that name, imported."""
        if cmd_name not in VERBS:
            return None
        file, name = VERBS[cmd_name]
        command: click.Command = getattr(importlib.import_module(f"flowhub_assets.cli.{file}"), name)
        return command


@click.group(cls=Verbs)
def flowhub() -> None:
    """Pipelines written once, run on a laptop, in Dagster, on Kubernetes."""


def main() -> None:
    """The console script ``flowhub``: an error of ours is told in its own words, exit code 1."""
    try:
        flowhub()
    except FlowhubError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
