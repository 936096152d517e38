"""Takes the README's pictures from the running UI: ``make screenshots``, after ``make demo``.

Needs a Chromium: its path in the variable CHROMIUM, or ``chromium`` on the PATH (Debian: apt-get install chromium).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, ViewportSize, sync_playwright

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / ".github" / "screenshots"
SIZE, WIDE = ViewportSize(width=1400, height=860), ViewportSize(width=2160, height=560)
TALL = ViewportSize(width=1800, height=760)
#: Where the demo's models are.
MLFLOW = "sqlite:///tmp/mlflow/mlflow.db"
#: The pipeline of the README that is shown in a run, workflows/<name>.yaml.
ORDERS = "orders"
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_STARTS_WITHIN = 120


def main() -> None:
    """Starts the UI with the README's pipeline of branches and loops, takes each picture, stops the UI."""
    browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not browser_path:
        sys.exit("No Chromium found: install one (Debian: apt-get install chromium), or name it in CHROMIUM.")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with orders_pipeline(), running_ui() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=_FLAGS)
        page = browser.new_page(viewport=SIZE)
        for take in (graph, asset, launchpad, ops, timeline, models, training):
            page.set_viewport_size(SIZE)
            take(page, address)
            page.screenshot(path=PICTURES / f"{take.__name__}.png")
        page.set_viewport_size(SIZE)
        with running_mlflow() as mlflow_address:
            mlflow(page, mlflow_address)
            page.screenshot(path=PICTURES / "mlflow.png")
        browser.close()


def graph(page: Page, address: str) -> None:
    """The group of the iris pipeline."""
    page.goto(f"{address}/locations/flowhub_assets/asset-groups/iris_report/lineage")
    page.get_by_text("Materialized", exact=True).nth(3).wait_for()
    page.wait_for_timeout(3_000)


def asset(page: Page, address: str) -> None:
    """The report's page with its plot, which the UI opens at a click."""
    page.goto(f"{address}/assets/iris_report/report")
    page.get_by_text("[Show Markdown]").first.click()
    page.locator("img[alt='iris at a glance']").wait_for()
    page.wait_for_timeout(2_000)


def launchpad(page: Page, address: str) -> None:
    """The launchpad of the quick start; a click with Shift opens it."""
    page.goto(f"{address}/locations/flowhub_assets/jobs/quick_start")
    page.get_by_role("button", name="Materialize all").click(modifiers=["Shift"])
    page.get_by_text("quick_start_params").first.wait_for()
    page.wait_for_timeout(3_000)


def ops(page: Page, address: str) -> None:
    """The ops of the README's pipeline of branches and loops."""
    page.goto(f"{address}/locations/flowhub_assets/jobs/{ORDERS}")
    page.get_by_text("any_orders").first.wait_for()
    page.wait_for_timeout(3_000)


def timeline(page: Page, address: str) -> None:
    """A run of it, step by step: what was done, and in grey what was not chosen."""
    page.goto(f"{address}/runs/{run_to_its_end(address, ORDERS)}")
    page.set_viewport_size(WIDE)
    # The whole height for the steps, and their names instead of their milliseconds.
    for icon in ("expand_arrows", "gantt_waterfall"):
        page.locator(f"button:has([aria-label='{icon}'])").first.click()
    page.get_by_text("day_off").first.wait_for()
    page.wait_for_timeout(3_000)


def models(page: Page, address: str) -> None:
    """The assets of an ML team, from the day's object to what is served and watched."""
    page.set_viewport_size(TALL)
    page.goto(f"{address}/asset-groups")
    page.get_by_text("serving_watch").first.wait_for()
    page.locator("[aria-label='panel_show_left'], [aria-label='panel_show_right']").first.click()
    page.locator(".CodeMirror").first.click()
    groups = ("daily_data", "data_sets", "data_changes", "drift", "training", "serving", "serving_watch")
    page.keyboard.type(" or ".join(f'group:"{group}"' for group in (*groups, "batch_predictions", "retraining*")))
    page.keyboard.press("Enter")
    page.wait_for_timeout(3_000)
    page.keyboard.press("Alt+E")
    page.wait_for_timeout(4_000)


def training(page: Page, address: str) -> None:
    """The page of the models: the link to MLflow, what was measured, the plots."""
    page.goto(f"{address}/assets/training/model")
    page.get_by_text("Latest materialization").first.wait_for()
    page.get_by_text("Metadata", exact=True).first.scroll_into_view_if_needed()
    page.get_by_text("feature importances").first.wait_for()
    page.wait_for_timeout(4_000)


def mlflow(page: Page, address: str) -> None:
    """The run of the champion in MLflow."""
    from mlflow import MlflowClient

    champion = MlflowClient(tracking_uri=MLFLOW).get_model_version_by_alias("iris", "champion")
    run = MlflowClient(tracking_uri=MLFLOW).get_run(champion.run_id)
    page.goto(f"{address}/#/experiments/{run.info.experiment_id}/runs/{champion.run_id}")
    page.get_by_text("Registered models").first.wait_for()
    page.wait_for_timeout(3_000)
    page.get_by_role("button", name="Close").last.click()
    page.wait_for_timeout(2_000)


@contextlib.contextmanager
def orders_pipeline() -> Iterator[None]:
    """A folder with the pipeline, of which the code location is told."""
    found = re.search(
        rf'```yaml title="workflows/{ORDERS}.yaml"\n(.*?)```', (ROOT / "README.md").read_text("utf-8"), re.DOTALL
    )
    if found is None:
        sys.exit(f"The README has no block workflows/{ORDERS}.yaml any more: name another in ORDERS.")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / f"{ORDERS}.yaml").write_text(found[1], "utf-8")
        os.environ["FLOWHUB_PIPELINES"] = folder
        yield


def run_to_its_end(address: str, job: str) -> str:
    """Launches the job and waits for its success; the run's id."""
    selector = {"repositoryLocationName": "flowhub_assets", "repositoryName": "__repository__", "jobName": job}
    launched = ask(
        address,
        "mutation($p: ExecutionParams!) {launchRun(executionParams: $p) "
        "{__typename ... on LaunchRunSuccess {run {runId}} ... on PythonError {message}}}",
        {"p": {"selector": selector, "runConfigData": {}}},
    )["launchRun"]
    if "run" not in launched:
        sys.exit(f"{job} was not launched: {launched}")
    run = str(launched["run"]["runId"])
    ends = time.monotonic() + _STARTS_WITHIN
    status = ""
    while status != "SUCCESS":
        if status in ("FAILURE", "CANCELED") or time.monotonic() > ends:
            sys.exit(f"run {run} of {job} is {status}, not SUCCESS")
        time.sleep(1)
        status = ask(address, "query($r: ID!) {runOrError(runId: $r) {... on Run {status}}}", {"r": run})["runOrError"][
            "status"
        ]
    return run


def ask(address: str, query: str, variables: dict[str, Any]) -> dict[str, Any]:
    """What the UI's GraphQL API answers."""
    request = urllib.request.Request(
        f"{address}/graphql",
        data=json.dumps({"query": query, "variables": variables}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        data: dict[str, Any] = json.load(answer)["data"]
    return data


def running_ui() -> contextlib.AbstractContextManager[str]:
    """Dagster's UI and daemon on a free port; its address."""
    return running("dagster", "dev", "--port")


def running_mlflow() -> contextlib.AbstractContextManager[str]:
    """MLflow's UI over what the demo has trained; its address."""
    return running("mlflow", "server", "--backend-store-uri", MLFLOW, "--workers", "1", "--port")


@contextlib.contextmanager
def running(*command: str) -> Iterator[str]:
    """A command that ends with its port, a free one; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([*command, str(port)], start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, process)
        yield address
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < ends and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(address, timeout=5):
            return
        time.sleep(0.5)
    sys.exit(f"{process.args!r} did not answer at {address} within {_STARTS_WITHIN} s")


if __name__ == "__main__":
    main()
