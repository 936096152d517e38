"""Between drift and retraining: an asset that is made only where a retraining is due."""

from flowhub import flow, ml, show, task


@task(cpu="250m", memory="512Mi")
def is_due(args):
    """Whether drift was found of a version of the data set on which no retraining has begun."""
    return ml.retraining_due(args["env"]["partition"]["data_set"], args["env"]) is not None


@task(cpu="250m", memory="512Mi", kinds=["mlflow"])
def asked(args):
    """Asks for a retraining, once for each version of the data set: what comes after this asset starts by itself."""
    env = args["env"]
    found = ml.begin_retraining(env["partition"]["data_set"], env)
    show("why", f"{', '.join(found['drifted'])} of {found['data_set']} {found['data_set_version']} moved")
    return found


@flow(
    name="retraining-due",
    description="Asks for a retraining where drift was found, once for each version of a data set.",
    partitions={"data_set": ["iris", "titanic", "housing"]},
    automation="eager",
    deps=["drift/watch"],
    env={
        "default": {"WORKSPACE": "./tmp"},
        "airflow": {"BUCKET": "my-bucket", "REGION_NAME": "ap-northeast-2"},
    },
    tags=["example", "ml"],
    owners=["team:examples"],
)
def main(args):
    due = is_due.branch(args)
    return asked(due.true)
