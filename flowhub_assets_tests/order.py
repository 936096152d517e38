"""In which order the files of tests begin."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_HERE = Path(__file__).parent

#: Files that take from twenty seconds to some minutes, those that wait between those that compute.
LONGEST = (
    "ml/test_end_to_end.py",
    "conformance/test_airflow_3.py",
    "conformance/test_airflow_2.py",
    "to_dagster/test_real_triggers.py",
    "test_readme.py",
    "benchmarks/test_benchmarks.py",
    "ml/serving/test_switching.py",
    "server/test_crashes.py",
    "conformance/test_conformance.py",
    "conformance/test_kubernetes.py",
    "to_dagster/test_real_queues.py",
    "deploy/test_image.py",
    "airflow/test_export_failures.py",
    "to_dagster/test_real_stack.py",
    "airflow/test_export_storage.py",
    "executor/kubernetes/chaos/test_chaos.py",
    "airflow/test_export_runs.py",
    "to_dagster/test_real_stack_yaml.py",
    "cli/test_demo.py",
    "executor/forked/test_launcher.py",
    "executor/kubernetes/test_what_pods_tell.py",
    "test_two_commands.py",
    "from_airflow/test_location.py",
    "conformance/test_branches_and_loops.py",
    "cli/test_dev.py",
    "executor/kubernetes/test_resume.py",
    "conformance/test_random_graphs.py",
    "executor/kubernetes/test_faults.py",
    "airflow/test_exported_dags.py",
    "to_dagster/test_repository.py",
)


def longest_first(paths: Iterable[Path]) -> list[int]:
    """The positions of ``paths`` in the order in which they are to begin: LONGEST, then all others as they were.

    One that takes minutes and begins last keeps one worker busy while the others have nothing left to do.
    """
    rank = {_HERE / name: number for number, name in enumerate(LONGEST)}
    ranks = [rank.get(path, len(rank)) for path in paths]
    return sorted(range(len(ranks)), key=ranks.__getitem__)
