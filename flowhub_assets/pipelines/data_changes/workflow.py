"""Runs when a data set has changed: says which rows came and went, and how far its columns moved."""

import json

from flowhub import check, flow, get_storage, ml, show, task

DATA_SET = "iris"
LATEST = f"data_changes/{DATA_SET}/latest.json"
#: Standard deviations of the version before.
FARTHEST = 0.5


@task(cpu="250m", memory="512Mi", retries=2, retry_delay=5, checks={"shift": "warn"}, kinds=["pandas"])
def compare(args):
    """Compares the newest version of the data set with the one that was compared last.

    The same version again gives the same answer: it is kept under the version's name.
    """
    env = args["env"]
    storage = get_storage(env)
    data_set, now, made = ml.published(DATA_SET, env)
    version = made["version"]
    key = f"data_changes/{DATA_SET}/{version}.json"
    if storage.exists(key):
        found = json.loads(storage.read(key))
    else:
        before = json.loads(storage.read(LATEST))["version"] if storage.exists(LATEST) else None
        found = {"version": version, "before": before, **changes(data_set, now, before, env)}
        storage.write(key, json.dumps(found).encode())
    storage.write(LATEST, json.dumps({"version": version}).encode())
    tell(found)
    return found


def changes(data_set, now, before, env):
    """How many rows came and went since the version ``before``, and how far the mean of each number moved."""
    if before is None:
        return {"rows": len(now), "added": len(now), "removed": 0, "shifts": {}}
    _, then, _ = ml.published(DATA_SET, env, before)
    counts = [frame.value_counts(dropna=False).to_dict() for frame in (now, then)]
    added, removed = more(*counts), more(*reversed(counts))
    numbers = [column.name for column in data_set.features if column.type in ("number", "integer")]
    shifts = {name: (now[name].mean() - then[name].mean()) / (then[name].std() or 1) for name in numbers}
    return {
        "rows": len(now),
        "added": added,
        "removed": removed,
        "shifts": {name: round(float(shift), 4) for name, shift in shifts.items()},
    }


def more(counts, others):
    """How many rows the first has beyond those of the other; equal rows count as often as they are there."""
    return int(sum(max(number - others.get(row, 0), 0) for row, number in counts.items()))


def tell(found):
    """The change in words, each column's shift, and whether one of them moved so far that somebody should look."""
    before = f"`{found['before']}`" if found["before"] else "nothing"
    show("change", f"{before} → `{found['version']}`: {found['added']:,} rows came, {found['removed']:,} went")
    show("shifts", [{"column": name, "standard deviations": shift} for name, shift in found["shifts"].items()])
    farthest = max(map(abs, found["shifts"].values()), default=0)
    told = f"no mean moved by more than {farthest:.2f} standard deviations; up to {FARTHEST} is usual"
    check("shift", farthest <= FARTHEST, told)


@flow(
    name="data-changes",
    description="Runs by itself when the data set iris has changed, and says what is new in it.",
    env={
        "default": {"WORKSPACE": "./tmp"},
        "airflow": {"BUCKET": "my-bucket", "REGION_NAME": "ap-northeast-2"},
    },
    tags=["example", "ml"],
    owners=["team:examples"],
    imports=["pandas"],
    automation="eager",
    deps=["data_sets/iris"],
)
def main(args):
    return compare(args)
