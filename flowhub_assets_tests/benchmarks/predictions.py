"""POST /predict of a served model: through the front and BentoML, and of the same model bare behind FastAPI."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp

from flowhub_assets import ml
from flowhub_assets_tests.benchmarks.row import Row
from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.loopback_server import free_port

_ROWS = [[5.1, 3.5, 1.4, 0.2]]
#: How many callers ask at once where it is about throughput.
_CALLERS = 16
_SECONDS_TO_START = 120.0
#: What somebody writes in an afternoon: the same files of the model, one process.
_BARE = """
import sys
import uvicorn
from fastapi import FastAPI
from flowhub_assets import ml
model = ml.load_model("models:/iris@champion", {"WORKSPACE": sys.argv[1]})
app = FastAPI()

@app.post("/predict")
def predict(rows: list[list[float]]) -> dict[str, list]:
    return {"predictions": model.predict(rows), "probabilities": model.probabilities(rows)}

uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
"""


def measure(quick: bool = False) -> list[Row]:
    """Both take turns, one request at a time for the median, sixteen callers for what they answer in a second."""
    requests = 20 if quick else 1_000
    with tempfile.TemporaryDirectory() as folder:
        env = _trained(Path(folder))
        with _bare(env) as bare, _served(env) as served:
            urls = [f"{served}/predict", f"{bare}/predict"]
            p50, throughput = asyncio.run(_asked(urls, requests))
    other = "the bare model behind FastAPI"
    return [
        Row("POST /predict, p50", p50[0], p50[1], other),
        Row(f"POST /predict, {_CALLERS} callers at once, for each answer", throughput[0], throughput[1], other),
    ]


def _trained(folder: Path) -> dict[str, Any]:
    env = {"WORKSPACE": str(folder), "SERVING_PORT": free_port(), "SERVING_WORKERS": 1}
    env |= {"project": "bench", "run_id": "bench", "task": "bench"}
    frame, source = ml.load_data_set("iris", env)
    ml.publish("iris", frame, env, source)
    trained = ml.train("iris", "scikit-learn", {}, env)
    version = ml.register(trained, ml.evaluate(trained, env), env)
    ml.promote(version["name"], version["version"], env)
    return env


@contextlib.contextmanager
def _served(env: dict[str, Any]) -> Iterator[str]:
    try:
        yield str(ml.serve("iris", env)["url"])
    finally:
        ml.stop_serving("iris", env)


@contextlib.contextmanager
def _bare(env: dict[str, Any]) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-c", _BARE, str(env["WORKSPACE"]), str(port)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        url, last = f"http://127.0.0.1:{port}", time.monotonic() + _SECONDS_TO_START
        while not _answers(f"{url}/openapi.json"):
            assert process.poll() is None
            assert time.monotonic() < last
            time.sleep(0.2)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


async def _asked(urls: list[str], requests: int) -> tuple[list[float], list[float]]:
    """For each URL the median milliseconds of a request, and the milliseconds for each answer among many callers."""
    async with aiohttp.ClientSession() as session:

        async def ask(url: str) -> float:
            begun = time.perf_counter()
            async with session.post(url, json=_ROWS) as answer:
                assert answer.status == 200, await answer.text()
                assert (await answer.json())["predictions"] == ["setosa"]
            return (time.perf_counter() - begun) * 1_000

        for url in urls * 5:
            await ask(url)
        took: list[list[float]] = [[] for _ in urls]
        for _ in range(requests):
            for seen, url in zip(took, urls, strict=True):
                seen.append(await ask(url))
        shares = [[await _among_many(ask, url, requests) for url in urls] for _ in range(3)]
    return [statistics.median(seen) for seen in took], [statistics.median(side) for side in zip(*shares, strict=True)]


async def _among_many(ask: Any, url: str, requests: int) -> float:
    async def caller() -> None:
        for _ in range(max(requests // _CALLERS, 1)):
            await ask(url)

    begun = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(_CALLERS)))
    return (time.perf_counter() - begun) * 1_000 / (max(requests // _CALLERS, 1) * _CALLERS)
