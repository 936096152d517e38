"""New rows every day: the flowers that were measured today go into the object from which the data set is made."""

import datetime
import random

from flowhub import describe_table, flow, get_storage, ml, show, task

DATA_SET, FLOWERS = "iris", 12
OBJECT = f"incoming/{DATA_SET}.csv"
COLUMNS = ml.DATA_SETS[DATA_SET].columns


@task(cpu="250m", memory="512Mi", kinds=["python"])
def flowers(args):
    """The flowers that were measured on one day: of a param `day`, else of today (UTC). A day has always the same ones.

    They are made up: each is one of Fisher's, measured with a finer ruler and a less steady hand.
    """
    day = args["day"] or datetime.datetime.now(datetime.UTC).date().isoformat()
    chance = random.Random(f"{DATA_SET} {datetime.date.fromisoformat(day)}")  # noqa: S311 - not for secrets
    shipped, _ = ml.shipped_data_set(DATA_SET)
    first = shipped.to_dict("records")
    measured = [measure(chance.choice(first), chance) for _ in range(FLOWERS)]
    show(f"measured on {day}", measured)
    return {"day": day, "flowers": measured}


def measure(flower, chance):
    """The flower once more: each of its measures off by a few percent, to a hundredth of a centimetre."""
    return {
        name: round(value * chance.uniform(0.96, 1.04), 2) if isinstance(value, float) else value
        for name, value in flower.items()
    }


@task(cpu="250m", memory="512Mi", retries=2, retry_delay=5, kinds=["s3", "csv"])
def update(args):
    """Adds the day's flowers to the object; those that it has already are not added twice.

    The sensor of the pipeline data-sets sees the object and publishes it as a new version of the data set.
    """
    env = args["env"]
    known, _ = ml.load_data_set(DATA_SET, env)
    rows = known.to_dict("records")
    added = [flower for flower in args["flowers"] if flower not in rows]
    url = get_storage(env).url(OBJECT)
    if added:
        names = [column.name for column in COLUMNS]
        url = get_storage(env).write(OBJECT, ml.csv_of([*rows, *added], names))
    describe_table(COLUMNS, rows=len(rows) + len(added), url=url)
    show("added", len(added))
    return {"url": url, "day": args["day"], "rows": len(rows) + len(added), "added": len(added)}


@flow(
    name="daily-data",
    description="Adds the flowers of the day to the object from which the data set iris is made. "
    "From there on everything goes by itself.",
    env={
        "default": {"WORKSPACE": "./tmp"},
        "airflow": {"BUCKET": "my-bucket", "REGION_NAME": "ap-northeast-2"},
    },
    params={"day": ""},
    tags=["example", "ml"],
    owners=["team:examples"],
    imports=["pandas", "sklearn.datasets"],
    schedule="@daily",
    concurrency=1,
)
def main(args):
    return update(flowers(args))
