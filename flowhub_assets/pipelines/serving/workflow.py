"""When the champion moves, it is served: built, started, asked with known rows, and only then given the traffic."""

import json

from flowhub import flow, ml, show, task


def model_of(args):
    """The model whose champion has moved, or the one that was asked for."""
    return args.get("trigger", {}).get("model", args["model"])


@task(cpu="500m", memory="1Gi", kinds=["bentoml", "mlflow"])
def bento(args):
    """Builds the BentoML service of the champion, and of the challenger where it is to have a share of the traffic.

    The model's files lie in it, none of them a pickle: its workers need neither MLflow nor the storage.
    """
    built = ml.build_bentos(model_of(args), args["env"], args["share"])
    show("built", versions_table(built, ["alias", "version", "tag", "bento"]))
    return built


@task(cpu="500m", memory="1Gi", kinds=["docker"])
def compose(args):
    """The same for Docker: a folder with compose.yaml, nginx.conf and the bentos, ready for `docker compose up`."""
    made = ml.compose_files(args, args["env"])
    show("compose.yaml", f"```yaml\n{made['files']['compose.yaml']}```")
    show("nginx.conf", f"```nginx\n{made['files']['nginx.conf']}```")
    return {"folder": made["folder"]}


@task(cpu="500m", memory="1Gi", timeout=600, kinds=["bentoml"])
def server(args):
    """Starts it for real: several workers on a free port of this machine, which outlive this run. Waits for /readyz."""
    started = ml.start_servers(args, args["env"])
    show("servers", versions_table(started, ["alias", "version", "url", "log"]))
    return started


@task(cpu="500m", memory="1Gi", timeout=300, kinds=["bentoml", "mlflow"])
def golden(args):
    """Asks the new server for held-out rows. Every answer has to be that of the model in MLflow; else it is ended."""
    asked = ml.ask_golden(args, args["env"])
    show("golden rows", asked["answers"])
    show("largest difference", asked["largest_difference"])
    return {**args, "golden_rows": asked["rows"]}


@task(cpu="500m", memory="1Gi", timeout=600, kinds=["bentoml"])
def traffic(args):
    """Switches the traffic, ends the old server once nothing is under way with it; the old one stays on any failure."""
    served = ml.switch_traffic(args, args["env"])
    show("served", f"{served['model']}, version {served['version']}, at {served['url']} ({served['url']}/docs)")
    row = json.dumps([args["champion"]["example"]])
    show("ask it", f"```bash\ncurl --json '{row}' {served['url']}/predict\n```")
    return served


@task(cpu="250m", memory="512Mi")
def not_served(args):
    """Tells why, and ends what was started and got no traffic."""
    ml.end_unused(model_of(args), args["env"])
    show("why it is not served", f"{args['failed_task']}: {args['error']}")
    print(f"What was served before is served still. {args['failed_task']}: {args['error']}")
    return {"failed_task": args["failed_task"], "error": args["error"]}


def versions_table(told, columns):
    """One row for the champion, one for the challenger if there is one."""
    arms = [told[alias] for alias in ("champion", "challenger") if told[alias]]
    return [{name: arm[name] for name in columns} for arm in arms]


@flow(
    name="serving",
    description="When the champion of a model moves: BentoML service, server, golden requests, switch of the traffic. "
    "With share, the challenger beside it.",
    params={"model": "iris", "share": 0.0},
    model_alias={"model": ["iris", "titanic", "housing"], "alias": "champion"},
    deps=["training/champion"],
    concurrency=1,
    on_failure=not_served,
    imports=["pandas", "sklearn.ensemble", "mlflow.pyfunc", "skops.io"],
    env={
        "default": {"WORKSPACE": "./tmp"},
        # A pod ends with its step, so there the folder for Docker is what is made; see the page of this pipeline.
        "airflow": {
            "BUCKET": "my-bucket",
            "REGION_NAME": "ap-northeast-2",
            "MLFLOW_TRACKING_URI": "http://mlflow.example.com:5000",
            "WORKSPACE": "/var/lib/flowhub",
        },
    },
    tags=["example", "ml"],
    owners=["team:examples"],
)
def main(args):
    built = bento(args)
    compose(built)
    started = server(built)
    asked = golden(started)
    return traffic(asked)
