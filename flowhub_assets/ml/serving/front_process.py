"""The front's process: started when the first model is served, ended with the last."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowhub_assets.errors import RunError
from flowhub_assets.ml.serving import processes
from flowhub_assets.ml.serving.places import Place, serving_folder, setting

PORT = 8081
_SECONDS = 120.0
_LOOK = 0.1
_ANSWER = 10.0


def front_address(env: Mapping[str, Any]) -> tuple[str, int]:
    """SERVING_HOST and SERVING_PORT of the profile: by default the loopback alone, and 8081."""
    return str(env.get("SERVING_HOST") or "127.0.0.1"), setting(env, "SERVING_PORT", PORT, 1, 65535)


def front_url(env: Mapping[str, Any]) -> str:
    """The address that callers on this machine ask."""
    host, port = front_address(env)
    shown = "127.0.0.1" if host in ("0.0.0.0", "") else host  # noqa: S104 - a name for it, nothing is bound
    return f"http://{shown}:{port}"


def ensure_front(env: Mapping[str, Any]) -> str:
    """Starts the front unless it runs at the profile's address; its URL. Raises RunError where it cannot start."""
    serving = serving_folder(env)
    host, port = front_address(env)
    with Place("front", serving / "front").lock():
        # The lock lies in the folder of the front's own place; what the process has is removed with it.
        folder = serving / "front" / "process"
        told = processes.record(folder)
        if (told.get("host"), told.get("port")) == (host, port) and processes.lives(folder) and asked(env):
            return front_url(env)
        processes.end(folder)
        command = ["-m", "flowhub_assets.ml.serving.front", str(serving), host, str(port)]
        told = processes.start(folder, command, {}, host=host, port=port)
        _wait(folder, env, told["pid"])
    return front_url(env)


def stop_front(env: Mapping[str, Any]) -> bool:
    """Ends the front; whether there was one."""
    serving = serving_folder(env)
    with Place("front", serving / "front").lock():
        return processes.end(serving / "front" / "process") > 0


def asked(env: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the front says of itself at GET /front; None where nothing of ours answers."""
    import httpx

    try:
        answer = httpx.get(f"{front_url(env)}/front", timeout=_ANSWER, trust_env=False)
        told = answer.json()
    except (httpx.HTTPError, json.JSONDecodeError, UnicodeDecodeError):
        return None
    return told if isinstance(told, dict) and "models" in told else None


def _wait(folder: Path, env: Mapping[str, Any], pid: int) -> None:
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        told = asked(env)
        if told is not None and told["pid"] == pid:
            return
        if told is not None or not processes.lives(folder):
            break
        time.sleep(_LOOK)
    said = processes.log_end(folder)
    processes.end(folder)
    host, port = front_address(env)
    raise RunError(
        f"the front does not start at {host}:{port}{': ' + said if said else ''}",
        effect="No caller could reach the model.",
        remedy="End what else listens there, or give the profile another SERVING_PORT.",
    )
