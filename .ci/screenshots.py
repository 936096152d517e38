"""Takes the README's pictures from the running UI: ``make screenshots``.

Needs a Chromium: its path in the variable CHROMIUM, or ``chromium`` on the PATH (Debian: apt-get install chromium).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

PICTURES = Path(__file__).parent.parent / ".github" / "screenshots"
SIZE = {"width": 1400, "height": 860}
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_STARTS_WITHIN = 120


def main() -> None:
    """Starts the UI, takes each picture, stops the UI."""
    browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not browser_path:
        sys.exit("No Chromium found: install one (Debian: apt-get install chromium), or name it in CHROMIUM.")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with running_ui() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=_FLAGS)
        page = browser.new_page(viewport=SIZE)
        for take in (graph, asset, launchpad):
            take(page, address)
            page.screenshot(path=PICTURES / f"{take.__name__}.png")
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


@contextlib.contextmanager
def running_ui() -> Iterator[str]:
    """Dagster's UI and daemon on a free port; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(["dagster", "dev", "--port", str(port)], start_new_session=True)
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
    sys.exit(f"dagster dev did not answer at {address} within {_STARTS_WITHIN} s")


if __name__ == "__main__":
    main()
