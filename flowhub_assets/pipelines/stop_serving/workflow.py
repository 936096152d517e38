"""One command ends what serves a model: its servers, and with the last model the front."""

from flowhub import flow, ml, show, task


@task(cpu="500m", memory="1Gi", kinds=["bentoml"])
def stopped(args):
    """Ends every process that serves the model. Requests under way end first; nothing there is no error."""
    ended = ml.stop_serving(args["model"], args["env"])
    show("stopped", f"{ended['stopped']} processes of {args['model']}{', and the front' if ended['front'] else ''}")
    return ended


@flow(
    name="stop-serving",
    description="Ends the servers of a model, and the front with the last model.",
    params={"model": "iris"},
    concurrency=1,
    env={
        "default": {"WORKSPACE": "./tmp"},
        "airflow": {"BUCKET": "my-bucket", "REGION_NAME": "ap-northeast-2", "WORKSPACE": "/var/lib/flowhub"},
    },
    tags=["example", "ml", "on-demand"],
    owners=["team:examples"],
)
def main(args):
    return stopped(args)
