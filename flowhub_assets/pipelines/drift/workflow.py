"""Every day: have the rows that came since moved away from those that the champion was trained on?"""

from flowhub import check, flow, ml, show, task


@task(cpu="500m", memory="1Gi", retries=2, retry_delay=10, checks={"drift": "warn"}, kinds=["scipy", "mlflow"])
def watch(args):
    """Compares the newest rows of a data set with the champion's training rows, column by column.

    Two measures: the population stability index and the distance of Kolmogorov and Smirnov, each with a bound that
    grows as rows grow fewer. With `batch_url`, a CSV file in the storage, its rows are looked at instead, and nothing
    is asked for.
    """
    env = args["env"]
    data_set = env["partition"]["data_set"]
    batch = ml.read_batch(data_set, args["batch_url"], env) if args["batch_url"] else None
    drifted = ml.drift(data_set, batch, env)
    for name, figure in ml.drift_plots(drifted).items():
        show(name, figure)
    check("drift", not drifted["exceeded"], in_words(drifted), columns=drifted["columns"])
    if batch is None:
        drifted["retraining_due"] = ml.ask_for_retraining(drifted, env)
    return drifted


def in_words(drifted):
    """One line for the check."""
    if drifted["champion"] is None:
        return f"{drifted['data_set']} has no champion yet"
    since = f"among {drifted['rows']:,} rows that champion {drifted['champion']} has not seen"
    over = [
        f"{one['column']} (PSI {one['psi']:.2f}, bound {one['psi_bound']:.2f})"
        for one in drifted["columns"]
        if one["drifted"]
    ]
    return f"{', '.join(over) or 'nothing'} has moved {since}"


@flow(
    name="drift",
    description="Has new data moved away from what the champion was trained on? If so, a retraining is due.",
    params={"batch_url": ""},
    partitions={"data_set": ["iris", "titanic", "housing"]},
    schedule="@daily",
    deps=["data_sets/iris", "data_sets/titanic", "data_sets/housing"],
    imports=["pandas", "scipy.stats", "matplotlib.figure", "mlflow"],
    env={
        "default": {"WORKSPACE": "./tmp"},
        "airflow": {
            "BUCKET": "my-bucket",
            "REGION_NAME": "ap-northeast-2",
            "MLFLOW_TRACKING_URI": "http://mlflow.example.com:5000",
        },
    },
    tags=["example", "ml"],
    owners=["team:examples"],
)
def main(args):
    return watch(args)
