"""A pipeline that fails on purpose, to show what on_failure is told and what it can do."""

import json

from flowhub import flow, get_storage, task


@task(cpu="250m", memory="256Mi")
def receive_delivery(args):
    """Takes in a delivery: three items with a price each, one of them wrong."""
    delivery = [
        {"item": "tea", "price": 4.5},
        {"item": "coffee", "price": 7.25},
        {"item": "sugar", "price": -1.0},
    ]
    return {**args, "delivery": delivery}


@task(cpu="250m", memory="256Mi", retries=1, retry_delay=0.1)
def check_prices(args):
    """Refuses a delivery with a price that cannot be. This task fails, and fails again when it is retried."""
    for line in args["delivery"]:
        if line["price"] <= 0:
            raise ValueError(f"the price of {line['item']} is {line['price']}")
    return {**args, "total": sum(line["price"] for line in args["delivery"])}


@task(cpu="250m", memory="256Mi")
def publish_prices(args):
    """Never runs: the task before it fails."""
    return {**args, "published": True}


@task
def raise_alarm(args):
    """Runs once when the run has failed, after all retries, and leaves an alert in the storage."""
    env = args["env"]
    alert = {key: args[key] for key in ("failed_task", "error", "error_type", "traceback")}
    alert["run_id"] = env["run_id"]
    key = f"{env['project']}/alerts/{env['run_id']}.json"
    with get_storage(env).open(key, "w") as file:
        json.dump(alert, file, ensure_ascii=False, indent=2)
    print(f"{args['failed_task']} failed: {args['error']}. The alert is {key}")
    return {"failed_task": args["failed_task"], "alert": key}


@flow(
    name="failing",
    description="Fails on purpose: see what on_failure is told, and the alert that it writes.",
    on_failure=raise_alarm,
    env={"default": {"WORKSPACE": "./tmp"}},
    tags=["example", "fails-on-purpose"],
    owners=["team:examples"],
)
def main(args):
    received = receive_delivery(args)
    checked = check_prices(received)
    return publish_prices(checked)
