"""One command back: the champion of before is the champion again."""

from flowhub import flow, ml, show, task


@task(cpu="250m", memory="512Mi", kinds=["mlflow"])
def champion(args):
    """Gives the champion's place back to the one before; started again, to the one before that.

    The version that left it is not promoted again but by a person. Tried again within a run, it is done once.
    """
    env = args["env"]
    by = args["by"] or f"run {env['run_id']} of {env['project']}"
    done = ml.rollback(args["model"], env, by=by, why=args["why"])
    show("champion", f"**{args['model']}** version {done['version']}, after version {done['before']}")
    show("champions", ml.history(args["model"], env))
    return done


@flow(
    name="rollback-model",
    description="Gives the champion's place of a model back to the version before.",
    params=ml.Rollback,
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
