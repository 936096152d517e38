"""``flowhub export airflow PIPELINE…``: writes pipelines as Airflow DAGs, or says whether those on disk are stale."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from flowhub_assets.errors import FlowhubError, InputError
from flowhub_assets.from_python import finding as python_files
from flowhub_assets.from_python.command import WRONG
from flowhub_assets.from_python.loading import flows_in, load_module
from flowhub_assets.from_yaml import finding as yaml_files
from flowhub_assets.from_yaml.loading import load_file
from flowhub_assets.ir.pipeline import DEFAULT_PROFILE, Pipeline
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.nodes.finding import load_nodes
from flowhub_assets.resources.settings import read_settings
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.to_airflow.export import Export
from flowhub_assets.to_airflow.export import export as exported_for
from flowhub_assets.to_airflow.writing import FOLDER, require_names_apart, stale, told, write

#: The profile that is taken where none is named and the pipeline has it: what FlowHub's users call theirs.
_PROFILE = "airflow"
_FILES = (".py", ".yaml", ".yml", ".json")


@click.group()
def export() -> None:
    """Write pipelines for another system."""


@export.command()
@click.argument("pipelines", nargs=-1, metavar="[PIPELINE]...")
@click.option("--all", "every", is_flag=True, help="All pipelines of FLOWHUB_PIPELINES, and the shipped ones.")
@click.option("--env", "profile", metavar="PROFILE", help="The profile to run with: airflow if there is one.")
@click.option("--out", "folder", default=FOLDER, metavar="FOLDER", show_default=True, help="Where the files go.")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if the files there are stale or missing.")
@click.option("--group-light", is_flag=True, help="Let neighbouring light nodes share a pod.")
def airflow(
    pipelines: tuple[str, ...], every: bool, profile: str | None, folder: str, check: bool, group_light: bool
) -> None:
    """Write a DAG file and a ConfigMap file for each PIPELINE: its file, or its name."""
    try:
        chosen = _chosen(pipelines, every)
        exports = _exports(chosen, profile, group_light)
    except FlowhubError as error:
        click.echo(str(error), err=True)
        raise SystemExit(WRONG) from None
    if check:
        _tell_stale(stale(exports, folder))
        return
    write(exports, folder)
    for line in told(exports, folder):
        click.echo(line)


def _exports(chosen: Sequence[Runnable], profile: str | None, group_light: bool) -> list[Export]:
    """All of them, or one error that tells of each that cannot be exported."""
    made: list[tuple[Pipeline, Export]] = []
    errors: list[FlowhubError] = []
    for one in chosen:
        pipeline = one.pipeline
        name = profile or (_PROFILE if _PROFILE in pipeline.profiles else DEFAULT_PROFILE)
        try:
            made.append((pipeline, exported_for(pipeline, name, group_light=group_light)))
        except FlowhubError as error:
            errors.append(error)
    if errors:
        raise errors[0] if len(errors) == 1 else InputError("\n".join(map(str, errors)))
    require_names_apart(made)
    return [exported for _, exported in made]


def _tell_stale(paths: Sequence[str]) -> None:
    if not paths:
        click.echo("All files are up to date.")
        return
    for path in paths:
        click.echo(f"{path} is {'stale' if os.path.exists(path) else 'missing'}", err=True)
    click.echo("  Export again: the same command without --check.", err=True)
    raise SystemExit(1)


def _chosen(words: Sequence[str], every: bool) -> list[Runnable]:
    if not words and not every:
        raise InputError("no pipeline is named", effect="Nothing was exported.", remedy="Name one, or write --all.")
    files = [word for word in words if word.endswith(_FILES)]
    names = [word for word in words if word not in files]
    chosen = [one for file in files for one in _of_file(file)]
    if every or names:
        known = list(known_pipelines())
        chosen += known if every else [one for name in names for one in _named(name, known)]
    # Two of one name are not one: require_names_apart tells of them.
    return list({(one.pipeline.name, one.pipeline.source.file): one for one in chosen}.values())


def _named(name: str, known: Sequence[Runnable]) -> list[Runnable]:
    found = [one for one in known if one.pipeline.name == name]
    if found:
        return found
    names = sorted({one.pipeline.name for one in known})
    raise InputError(
        f"there is no pipeline {name!r}",
        effect="Nothing was exported.",
        remedy=did_you_mean(name, names) or f"Name a file, or one of {listed(names)}.",
    )


def known_pipelines() -> Iterator[Runnable]:
    """The pipelines of all folders that Dagster would find; a file that does not load is told and left out."""
    from flowhub_assets import pipelines

    settings = read_settings()
    folders = [*(map(Path, pipelines.__path__) if settings.shipped else ()), *settings.folders]
    for folder in folders:
        load_nodes(str(folder))
        for path in sorted({*python_files.find_files(str(folder)), *yaml_files.find_files(str(folder))}):
            try:
                yield from _of_file(path)
            except FlowhubError as error:
                click.echo(f"{error}\n  It is left out.", err=True)


def _of_file(path: str) -> list[Runnable]:
    if path.endswith(".py"):
        return [flow.runnable for flow in flows_in(load_module(path))]
    load_nodes(os.path.dirname(os.path.abspath(path)), below=False)
    return load_file(path)
