"""``flowhub deploy check``: what is wrong with a deployment's files, before a cluster says so."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from flowhub_assets.cli.check import github_annotation
from flowhub_assets.deploy_check.checks import Check, check_deployment


@click.group()
def deploy() -> None:
    """Look after a deployment on Kubernetes."""


@deploy.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True), default=Path("deploy"))
@click.option("--format", "form", type=click.Choice(("text", "json", "github")), default="text")
@click.option(
    "--chart",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The official chart's folder (helm pull dagster/dagster --untar): what it renders is checked, too.",
)
def check(folder: Path, form: str, chart: Path | None) -> None:
    """Render and check the files of FOLDER, deploy/ unless you name another. No cluster is asked.

    Values are held against the official chart's schema, every manifest strictly against Kubernetes', every pod
    against PodSecurity restricted; images' names, the queue's settings and where secrets stand are looked at. Each
    problem is printed as file:line:column: what is wrong, why it matters, what to do. The exit code is 1 if there is
    one.
    """
    checks = check_deployment(folder, chart)
    problems = [problem for one in checks for problem in one.problems]
    if form == "json":
        click.echo(json.dumps(_as_json(checks), ensure_ascii=False, indent=2))
    else:
        for problem in problems:
            click.echo(github_annotation(problem) if form == "github" else str(problem))
        _print_table(checks)
    sys.exit(1 if problems else 0)


def _as_json(checks: list[Check]) -> list[dict[str, object]]:
    names = ("file", "line", "column", "what", "effect", "remedy")
    return [
        {
            "check": one.name,
            "looked_at": one.looked_at,
            "problems": [{name: getattr(problem, name) for name in names} for problem in one.problems],
        }
        for one in checks
    ]


def _print_table(checks: list[Check]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    for name in ("check", "looked at", "result"):
        table.add_column(name, no_wrap=True)
    for one in checks:
        told = f"{len(one.problems)} wrong" if one.problems else "fine"
        table.add_row(*(Text(cell) for cell in (one.name, one.looked_at, told)))
    # A file or a pipe has no width; the lines of a table are not to be broken there.
    Console(width=None if sys.stdout.isatty() else 160).print(table)
