"""Looks for the hyper-parameters with which a library learns a data set best: one step here, many runs in MLflow."""

from flowhub import flow, ml, show, task

DATA_SETS = ["iris", "titanic", "housing"]
MODELS = ["scikit-learn", "xgboost", "lightgbm"]


@task(cpu="1", memory="2Gi", gpu="training", retries=3, retry_delay=10, kinds=["optuna", "mlflow"])
def hyperparameters(args):
    """Tries hyper-parameters, judged by folds of the training rows; the held-out rows take no part.

    Bounded in trials and in time. Killed in the middle, it goes on where it was when it is started again: the same
    study, the same run in MLflow with one nested run for each trial.
    """
    cell = args["env"]["partition"]
    found = ml.search(cell["data_set"], cell["model"], args["trials"], args["seconds"], args["env"], args["seed"])
    show("MLflow", f"[{len(found['history'])} trials]({found['mlflow_url']})")
    show("how they ended", [found["trials"]])
    if found["best"]:
        show(f"best {found['measure'].replace('_', ' ')}", found["best"]["value"])
        show("best hyper-parameters", [found["best"]["hyperparameters"]])
        show("trials", found["history"])
        for name, figure in ml.search_plots(found).items():
            show(f"{name} by number", figure)
    return found


@task(cpu="250m", memory="512Mi")
def not_found(args):
    """Tells why the search has ended, and ends what it left open in MLflow."""
    closed = ml.close_runs(args["env"])
    print(f"The search has ended. {args['error']}")
    return {"failed_task": args["failed_task"], "error": args["error"], "mlflow_runs_ended": closed}


@flow(
    name="search",
    description="A search for hyper-parameters, by data set × library: resumable, bounded in trials and in time.",
    params=ml.SearchBounds,
    partitions={"data_set": DATA_SETS, "model": MODELS},
    deps=["data_sets/iris", "data_sets/titanic", "data_sets/housing"],
    on_failure=not_found,
    imports=["pandas", "sklearn.ensemble", "matplotlib.figure", "mlflow.pyfunc", "optuna"],
    env={
        "default": {"WORKSPACE": "./tmp", "GPU": {"training": None}},
        "gpu": {
            "WORKSPACE": "./tmp",
            "DEVICE": "cuda",
            "GPU": {"training": {"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]}},
        },
        "airflow": {
            "BUCKET": "my-bucket",
            "REGION_NAME": "ap-northeast-2",
            "MLFLOW_TRACKING_URI": "http://mlflow.example.com:5000",
            "OPTUNA_STORAGE": {"env": "OPTUNA_STORAGE"},
            "GPU": {"training": None},
        },
    },
    tags=["example", "ml", "on-demand"],
    owners=["team:examples"],
)
def main(args):
    return hyperparameters(args)
