"""``make bench``: measures the README's figures and prints them as ratios.

Usage: python -m flowhub_assets_tests.benchmarks [--quick] [--readme] [NAME ...]

Without names all are measured. ``--readme`` writes the table between the two markers in README.md and README.ko.md.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from flowhub_assets_tests.benchmarks.row import Row
from flowhub_assets_tests.benchmarks.table import as_markdown, replace_table

NAMES = (
    "imports",
    "chain",
    "light",
    "memory",
    "building",
    "loading",
    "files",
    "storage",
    "objects",
    "webhooks",
    "airflow",
    "kubernetes",
    "queues",
    "launching",
    "training",
    "predictions",
)
ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "README.ko.md")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures what the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure the README's figures.")
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    parser.add_argument("--readme", action="store_true", help="write the table into the READMEs")
    asked = parser.parse_args(arguments)
    if asked.readme and (asked.quick or asked.names):
        parser.error("--readme takes all figures at their full size: leave out the names and --quick")
    logging.disable(logging.WARNING)
    rows: list[Row] = []
    for name in asked.names or NAMES:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        rows += importlib.import_module(f"flowhub_assets_tests.benchmarks.{name}").measure(quick=asked.quick)
    table = as_markdown(rows)
    print(table)
    if asked.readme:
        for path in (ROOT / readme for readme in READMES):
            path.write_text(replace_table(path.read_text("utf-8"), table, path.name), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
