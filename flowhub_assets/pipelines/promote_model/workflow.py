"""A person's word: a registered version becomes the champion."""

from flowhub import check, flow, ml, show, task


@task(cpu="250m", memory="1Gi", checks={"promoted": "blocking"}, kinds=["mlflow"])
def champion(args):
    """Makes the version the champion, if it is no worse than the one there is on the same held-out rows.

    Who, when and why stand in the tags of the version. With `force` nothing is compared.
    """
    env = args["env"]
    by = args["by"] or f"run {env['run_id']} of {env['project']}"
    done = ml.promote(args["model"], args["version"], env, by=by, why=args["why"], force=args["force"])
    check("promoted", done["promoted"], done["reason"])
    show("champions", ml.history(args["model"], env))
    return done


@flow(
    name="promote-model",
    description="Makes a registered version the champion: the approval that PROMOTION=approval waits for.",
    params=ml.Promotion,
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
