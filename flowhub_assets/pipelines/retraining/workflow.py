"""After drift: the champion's kind of model, trained on the newest data, through the same gate as any other."""

from flowhub import check, flow, ml, show, task


# One asset, and not one for each step: Dagster asks for no other while it is being made.
@task(
    cpu="1",
    memory="2Gi",
    retries=1,
    retry_delay=10,
    retry_on=["RunError"],
    checks={"gate": "blocking"},
    kinds=["scikitlearn", "mlflow"],
)
def champion(args):
    """Trains what the champion is, with its hyper-parameters, on the newest rows; it takes its place if it is better.

    Below the threshold, or worse than the champion on the same rows, nothing is registered, and `not_retrained` tells
    why.
    """
    env = args["env"]
    data_set = env["partition"]["data_set"]
    before = ml.require_champion(data_set, env)
    trained = ml.train(data_set, before.model, before.hyperparameters, env)
    show("MLflow", f"[{data_set} × {before.model}]({trained['mlflow_url']})")
    evaluated = ml.evaluate(trained, env)
    verdict = ml.gate(evaluated, env)
    check(
        "gate", verdict.passed, verdict.told, comparison=verdict.table, **ml.gate_plots(evaluated, verdict.of_champion)
    )
    if not verdict.passed:
        return {"promoted": False, "reason": verdict.told}
    version = ml.register(trained, evaluated, env)
    promoted = ml.promote(version["name"], version["version"], env)
    show("champion", promoted["reason"])
    return promoted


@task(cpu="250m", memory="512Mi")
def not_retrained(args):
    """Tells why the champion stays, and ends what the run left open in MLflow."""
    closed = ml.close_runs(args["env"])
    why = f"{args['failed_task']}: {args['error']}"
    show("why the champion stays", why)
    print(f"The champion stays. {why}")
    return {"failed_task": args["failed_task"], "error": args["error"], "mlflow_runs_ended": closed}


@flow(
    name="retraining",
    description="Trains the champion's kind of model anew once drift was found; the same gate decides.",
    partitions={"data_set": ["iris", "titanic", "housing"]},
    automation="eager",
    deps=["retraining_due/asked"],
    on_failure=not_retrained,
    imports=["pandas", "sklearn.ensemble", "matplotlib.figure", "mlflow.pyfunc", "skops.io"],
    env={
        "default": {"WORKSPACE": "./tmp"},
        "airflow": {
            "BUCKET": "my-bucket",
            "REGION_NAME": "ap-northeast-2",
            "MLFLOW_TRACKING_URI": "http://mlflow.example.com:5000",
        },
    },
    tags=["example", "ml", "on-demand"],
    owners=["team:examples"],
)
def main(args):
    return champion(args)
