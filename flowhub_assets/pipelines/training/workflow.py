"""Data set × library: any cell is trained, judged on held-out rows and, where it holds, made the model that serves."""

from flowhub import check, flow, ml, show, task

DATA_SETS = ["iris", "titanic", "housing"]
MODELS = ["scikit-learn", "xgboost", "lightgbm"]
#: What MLflow opens its own database with; half a second, once for all tasks of a run.
STORE = "mlflow.store.tracking.sqlalchemy_store"


@task(
    cpu="1",
    memory="2Gi",
    gpu="training",
    retries=1,
    retry_delay=10,
    retry_on=["RunError"],
    kinds=["scikitlearn", "xgboost", "lightgbm"],
)
def model(args):
    """Trains one library on the newest version of one data set and writes all of it to MLflow.

    Params, metrics, plots, signature, input example, the data set's version, the git commit and this run's id stand
    there; the link leads to it. The same seed gives the same metrics.
    """
    env = args["env"]
    cell = env["partition"]
    given = {name: args[name] for name in ml.Hyperparameters.model_fields}
    trained = ml.train(cell["data_set"], cell["model"], given, env)
    show("MLflow", f"[{trained['data_set']} × {trained['model']}]({trained['mlflow_url']})")
    show("metrics", metrics_table(trained["metrics"]))
    for name, figure in ml.training_plots(trained).items():
        show(name, figure)
    return trained


@task(cpu="500m", memory="1Gi", checks={"gate": "blocking"}, kinds=["scikitlearn", "mlflow"])
def evaluation(args):
    """Judges the model on rows it has not seen, against a threshold and against the champion on the same rows.

    Below either, the check holds everything that comes after: nothing is registered.
    """
    env = args["env"]
    evaluated = ml.evaluate(args, env)
    verdict = ml.gate(evaluated, env)
    check(
        "gate", verdict.passed, verdict.told, comparison=verdict.table, **ml.gate_plots(evaluated, verdict.of_champion)
    )
    return {"trained": args, "evaluated": evaluated}


@task(cpu="500m", memory="1Gi", retries=2, retry_delay=10, retry_on=["RunError"], kinds=["mlflow"])
def registered(args):
    """Registers the model under its data set's name, as the challenger."""
    version = ml.register(args["trained"], args["evaluated"], args["env"])
    show("version", f"[{version['name']}, version {version['version']}]({version['url']}) is the challenger")
    return version


@task(cpu="500m", memory="1Gi", retries=2, retry_delay=10, retry_on=["RunError"], kinds=["mlflow"])
def champion(args):
    """Makes the challenger champion where the profile's PROMOTION is automatic; else it waits for a person's word."""
    promoted = ml.promote(args["name"], args["version"], args["env"])
    show("champion", f"{promoted['name']}, version {promoted['champion']}: {promoted['reason']}")
    return promoted


@task(cpu="250m", memory="512Mi")
def not_trained(args):
    """Tells why there is no new model, and ends what the run left open in MLflow."""
    closed = ml.close_runs(args["env"])
    why = f"{args['failed_task']}: {args['error']}"
    show("why there is no new model", why)
    print(f"No new model. {why}")
    return {"failed_task": args["failed_task"], "error": args["error"], "mlflow_runs_ended": closed}


def metrics_table(metrics):
    """One row for each measure: on the rows held out, and on those trained on."""
    names = [name for name in metrics if not name.startswith("training_")]
    return [
        {"measure": name.replace("_", " "), "held out": metrics[name], "training": metrics[f"training_{name}"]}
        for name in names
    ]


@flow(
    name="training",
    description="Data set × library: train, judge on held-out rows, register, make champion. Any cell, row or column.",
    params=ml.Hyperparameters,
    partitions={"data_set": DATA_SETS, "model": MODELS},
    deps=["data_sets/iris", "data_sets/titanic", "data_sets/housing"],
    on_failure=not_trained,
    imports=[
        "pandas",
        "sklearn.ensemble",
        "matplotlib.figure",
        "mlflow.pyfunc",
        STORE,
        "skops.io",
        "xgboost",
        "lightgbm",
    ],
    env={
        "default": {"WORKSPACE": "./tmp", "GPU": {"training": None}},
        "gpu": {
            "WORKSPACE": "./tmp",
            "DEVICE": "cuda",
            "GPU": {"training": {"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]}},
        },
        # What `mlflow run` says, see the MLproject file.
        "mlflow": {
            "WORKSPACE": "./tmp",
            "MLFLOW_TRACKING_URI": {"env": "MLFLOW_TRACKING_URI"},
            "MLFLOW_RUN_ID": {"env": "MLFLOW_RUN_ID"},
            "GPU": {"training": None},
        },
        "airflow": {
            "BUCKET": "my-bucket",
            "REGION_NAME": "ap-northeast-2",
            "MLFLOW_TRACKING_URI": "http://mlflow.example.com:5000",
            "GPU": {"training": None},
        },
    },
    tags=["example", "ml"],
    owners=["team:examples"],
)
def main(args):
    trained = model(args)
    evaluated = evaluation(trained)
    version = registered(evaluated)
    return champion(version)
