"""``make chaos``: runs with faults, each by a seed, and a table of how they ended; status 1 if one ended wrong."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from flowhub_assets_tests.airflow.drive import bare_python
from flowhub_assets_tests.executor.kubernetes.chaos.faults import LONG_OUTAGE_EVERY
from flowhub_assets_tests.executor.kubernetes.chaos.processes import LAUNCHER, deployment
from flowhub_assets_tests.executor.kubernetes.chaos.runner import Result, Runner, table, tell


def main() -> None:
    """Reads the command line and runs."""
    parser = argparse.ArgumentParser(
        prog="python -m flowhub_assets_tests.executor.kubernetes.chaos", description=__doc__
    )
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=1080, help="after which no run begins")
    parser.add_argument("--seed", type=int, help="of the first run; the others follow it (a random one by default)")
    parser.add_argument("--launcher", default=LAUNCHER)
    parser.add_argument("--folder", type=Path, help="to work in, and to keep")
    told = parser.parse_args()
    first = random.randrange(1, 1_000_000) if told.seed is None else told.seed
    seeds = range(first, first + told.runs)
    print(f"seeds {seeds.start} to {seeds.stop - 1}; one again: --seed SEED --runs 1")
    print(f"the API is away for 30 s in those that {LONG_OUTAGE_EVERY} divides", flush=True)
    results: list[Result] = []
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="flowhub-chaos-") as name:
        base = told.folder or Path(name)
        base.mkdir(parents=True, exist_ok=True)
        with deployment(base, bare_python(base / "own-image"), told.launcher) as deployed:
            print(f"deployed in {time.monotonic() - begun:.1f} s", flush=True)
            runner = Runner(deployed)
            for result in runner.run(seeds, told.at_once, begun + told.seconds):
                results.append(result)
                tell(result)
            runner.close()
    wrong = [result.seed for result in results if result.wrong]
    missing = told.runs - len(results)
    print(table(results))
    print(f"{len(results)} runs in {time.monotonic() - begun:.0f} s; ended wrong: {wrong or 'none'}")
    if missing:
        print(f"{missing} runs have not begun within {told.seconds:.0f} s")
    sys.exit(bool(wrong or missing))


if __name__ == "__main__":
    main()
