"""Airflow's home in this location, and the database that is copied for each run; what Airflow says meanwhile."""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

#: Settings that say where Airflow's database is; ``core`` is where older ones had it, and still counts.
_DATABASE = re.compile("AIRFLOW__(DATABASE|CORE)__SQL_ALCHEMY_CONN")

_log = logging.getLogger(__name__)


def leave_other_databases() -> None:
    """Takes what may name a real Airflow's database out of the environment: each run makes one of its own."""
    for name in [name for name in os.environ if _DATABASE.match(name)]:
        del os.environ[name]
        warn(f"{name} is not used: a run in Dagster has a database of its own, and leaves that of Airflow alone.")
    if os.environ.pop("AIRFLOW_CONFIG", None):
        warn("AIRFLOW_CONFIG is not used: it may name Airflow's own database. Set AIRFLOW__SECTION__KEY instead.")
    # Without it, Airflow warns whoever imports it, at each start.
    os.environ.setdefault("AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY", "True")


def airflow_home() -> Path:
    """Airflow's home while DAG files are read; its database, empty, is what that of each run begins as."""
    return Path(os.environ.get("DAGSTER_HOME") or tempfile.gettempdir()).absolute() / "airflow_home"


def make_home(home: Path) -> None:
    """Imports Airflow with that home, and makes its database. Raises what Airflow or dagster-airflow raise."""
    # Airflow makes its home when it is imported.
    os.environ["AIRFLOW_HOME"] = str(home)
    from dagster_airflow.resources.airflow_ephemeral_db import AirflowEphemeralDatabase
    from dagster_airflow.utils import Locker

    made = home / f"made_by_airflow_{version('apache-airflow')}"
    with Locker(str(home.parent)):
        if not made.exists():
            (home / "airflow.db").unlink(missing_ok=True)
        AirflowEphemeralDatabase._initialize_database(airflow_home_path=str(home))
        made.touch()
    # The tables of users, which others refer to: without them SQLAlchemy cannot skip a task.
    import_module("airflow.providers.fab.auth_manager.models")


def make_database_of_run(run_id: str) -> None:
    """Copies the database of the home to where dagster-airflow has that of a run: to make one anew takes seconds."""
    from dagster_airflow.utils import Locker

    folder = Path(tempfile.gettempdir()) / f"dagster_airflow_{run_id}"
    folder.mkdir(exist_ok=True)
    with Locker(str(folder)):
        if not (folder / "airflow.db").exists():
            shutil.copyfile(airflow_home() / "airflow.db", folder / "airflow.db.part")
            (folder / "airflow.db.part").rename(folder / "airflow.db")


def warn(text: str) -> None:
    """Logs a warning, once in a run."""
    # A step's process loads everything anew; the run's own process has told it.
    if multiprocessing.parent_process() is None:
        _log.warning(text)


@contextmanager
def quiet() -> Iterator[None]:
    """Without what Airflow logs of files that do not load, which we tell, and without warnings of their authors."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
