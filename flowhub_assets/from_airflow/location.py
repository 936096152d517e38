"""The code location: all DAGs of the folders that the environment names (FLOWHUB_AIRFLOW_DAGS)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from dagster import Definitions

from flowhub_assets.errors import DefinitionError
from flowhub_assets.from_airflow.home import airflow_home, leave_other_databases, make_home, quiet
from flowhub_assets.from_airflow.loading import FOLDERS, Loaded, read_folder
from flowhub_assets.to_dagster.invalid_files import invalid_asset, invalid_check, invalid_sensor, one_for_each_key


def folders() -> list[Path]:
    """The folders of DAGs that the environment names."""
    return [Path(name).expanduser().absolute() for name in os.environ.get(FOLDERS, "dags").split(os.pathsep) if name]


def definitions(folders: Iterable[Path]) -> Definitions:
    """All DAGs of the folders; what does not load is a red asset. Raises nothing for bad input."""
    loaded = Loaded()
    if airflow_is_here(loaded):
        for folder in folders:
            read_folder(folder, loaded)
    invalid = one_for_each_key(loaded.invalid_files())
    sensor = invalid_sensor(invalid)
    return Definitions(
        jobs=list(loaded.jobs.values()),
        schedules=loaded.schedules,
        assets=list(map(invalid_asset, invalid)),
        asset_checks=list(map(invalid_check, invalid)),
        sensors=[] if sensor is None else [sensor],
    )


def airflow_is_here(loaded: Loaded) -> bool:
    """Whether Airflow 2 and dagster-airflow can be imported; told where not. Gives Airflow a home and database."""
    leave_other_databases()
    home = airflow_home()
    try:
        version("apache-airflow")
        with quiet():
            make_home(home)
    except Exception as error:  # noqa: BLE001 - beside Airflow 3, dagster-airflow ends in errors of many kinds
        what = f"Airflow 2.11 and dagster-airflow cannot be used here: {type(error).__name__}: {error}"
        remedy = "Start this location from an environment with the extra `airflow` alone: make dev-airflow."
        told = DefinitionError(what, where=FOLDERS, effect="No DAG is loaded.", remedy=remedy)
        loaded.tell(home, home.parent, told)
        return False
    return True


defs = definitions(folders())
