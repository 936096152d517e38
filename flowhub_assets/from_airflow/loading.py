"""A folder of DAGs → jobs and schedules; what does not load keeps no other from it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dagster import Definitions, JobDefinition, ScheduleDefinition

from flowhub_assets.errors import DefinitionError, FlowhubError
from flowhub_assets.from_airflow.differences import differences
from flowhub_assets.from_airflow.home import quiet, warn
from flowhub_assets.from_airflow.translating import translate
from flowhub_assets.to_dagster.invalid_files import Contents, InvalidFile

#: Names folders of DAGs, with os.pathsep between them; without it, the folder ``dags``.
FOLDERS = "FLOWHUB_AIRFLOW_DAGS"

DAGS = Contents("DAGs", "dags", ("_invalid", "airflow"), "airflow")


@dataclass
class Loaded:
    """What is loaded so far: jobs by name, their schedules, and the errors of each file or folder."""

    jobs: dict[str, JobDefinition] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    schedules: list[ScheduleDefinition] = field(default_factory=list)
    invalid: dict[tuple[Path, Path], list[FlowhubError]] = field(default_factory=dict)

    def tell(self, path: Path, folder: Path, error: FlowhubError) -> None:
        """Keeps the error for the red asset of ``path`` and warns of it."""
        self.invalid.setdefault((path, folder), []).append(error)
        warn(str(error))

    def invalid_files(self) -> list[InvalidFile]:
        """Each file or folder with an error, once, with all that is wrong with it."""
        return [
            # A DAG may say that its file is another one than that which was read.
            InvalidFile(path, folder if path.is_relative_to(folder) else path.parent, _together(errors), DAGS)
            for (path, folder), errors in self.invalid.items()
        ]


def read_folder(folder: Path, loaded: Loaded) -> None:
    """Adds the DAGs of one folder, in the order of their ids, and what is wrong with its files."""
    from airflow.models.dagbag import DagBag

    if not folder.is_dir():
        what = "this is a file, not a folder" if folder.exists() else "there is no such folder"
        remedy = f"Name folders of DAGs in {FOLDERS}, with {os.pathsep!r} between them: make dev-airflow DAGS=folder."
        effect = "None of its DAGs is loaded."
        return loaded.tell(folder, folder.parent, DefinitionError(what, where=folder, effect=effect, remedy=remedy))
    # As Airflow has it: DAG files import what lies beside them.
    sys.path += [str(folder)] if str(folder) not in sys.path else []
    with quiet():
        bag = DagBag(str(folder), include_examples=False, collect_dags=True)
    for file, trace in sorted(bag.import_errors.items()):
        loaded.tell(Path(file), folder, _import_error(Path(file), trace))
    if not bag.dags and not bag.import_errors:
        remedy = "A file is read if the words dag and airflow stand in it and no .airflowignore names it."
        loaded.tell(folder, folder.parent, DefinitionError("no DAG is in this folder", where=folder, remedy=remedy))
    for _, dag in sorted(bag.dags.items()):
        try:
            _take(dag, loaded)
        except FlowhubError as error:
            loaded.tell(Path(dag.fileloc), folder, error)
        except Exception as error:  # noqa: BLE001 - whatever Dagster says of one DAG, the others load
            loaded.tell(Path(dag.fileloc), folder, _refused(dag, error))
    return None


def _together(errors: Sequence[FlowhubError]) -> FlowhubError:
    return errors[0] if len(errors) == 1 else FlowhubError("\n".join(map(str, errors)))


def _take(dag: Any, loaded: Loaded) -> None:
    told = differences(dag)
    with quiet():
        job, schedule = translate(dag, told)
        alone = Definitions(jobs=[job], schedules=[schedule] if schedule else [])
        alone.get_repository_def().load_all_definitions()
    if other := loaded.files.get(job.name):
        raise DefinitionError(
            f"the DAG {dag.dag_id!r} is the job {job.name!r} in Dagster, and so is a DAG of {other}",
            where=dag.fileloc,
            effect="Only that one is loaded.",
            remedy="Give one of them another dag_id; Dagster takes letters, digits and _.",
        )
    if told:
        warn("\n  ".join([f"{dag.fileloc}: in Dagster, the DAG {dag.dag_id!r} does otherwise than in Airflow:", *told]))
    loaded.jobs[job.name], loaded.files[job.name] = job, dag.fileloc
    loaded.schedules += [schedule] if schedule else []


def _import_error(file: Path, trace: str) -> DefinitionError:
    lines = re.findall(rf'File "{re.escape(str(file))}", line (\d+)', trace)
    return DefinitionError(
        trace.strip().rpartition("\n")[2] or "it does not load",
        where=f"{file}:{lines[-1]}" if lines else file,
        effect="None of its DAGs is loaded.",
        remedy="Mend the file; what it imports must be installed beside Airflow 2.11 here.",
    )


def _refused(dag: Any, error: Exception) -> DefinitionError:
    return DefinitionError(
        f"dagster-airflow cannot translate the DAG {dag.dag_id!r}: {error}",
        where=dag.fileloc,
        effect="This DAG is not loaded.",
        remedy="Mend what the message names. Ids must differ in letters, digits and _: Dagster takes no others.",
    )
