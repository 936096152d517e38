"""BentoML servers of one model: built from MLflow's registry, started, found again, ended."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowhub_assets.errors import InputError, ProfileError, RunError
from flowhub_assets.ml.aliases import aliased
from flowhub_assets.ml.logged_models import load_model
from flowhub_assets.ml.serving import bento, processes
from flowhub_assets.ml.serving.described import described
from flowhub_assets.ml.serving.places import Place, place_of
from flowhub_assets.ml.serving.routes import CHALLENGER, CHAMPION, read_route

#: Seconds for a server to be ready. BentoML takes 3 on an idle machine; each worker imports the model's library.
_START = 240.0
_TRIES = 3
_LOOK = 0.1
#: The most of the traffic that a challenger gets.
_MOST = 0.5


def build_bentos(name: str, env: Mapping[str, Any], share: float = 0.0) -> dict[str, Any]:
    """Builds the BentoML service of the champion, and that of the challenger where it is to get a ``share`` of traffic.

    Returns {model, share, champion, challenger}: of both {model, alias, version, example (a row), bento (its folder),
    tag}; no challenger, and a share of 0, where no other version has that alias. Raises InputError for a model without
    a champion and a share that is not from 0 to 0.5: the champion answers most.
    """
    if not 0 <= share <= _MOST:
        raise InputError(f"the share is {share!r:.40}", remedy=f"Write the challenger's share, from 0 to {_MOST}.")
    place = place_of(name, env)
    champion = aliased(name, CHAMPION, env)
    if champion is None:
        raise InputError(
            f"the model {name!r} has no champion",
            effect="There is nothing to serve.",
            remedy="Run the pipeline training for it, or promote a version.",
        )
    other = aliased(name, CHALLENGER, env) if share else None
    if other is not None and other.version == champion.version:
        other = None
    return {
        "model": name,
        "share": float(share) if other else 0.0,
        CHAMPION: _built(place, CHAMPION, champion.version, champion.made, env),
        CHALLENGER: _built(place, CHALLENGER, other.version, other.made, env) if other else None,
    }


def _built(place: Place, alias: str, version: str, made: int, env: Mapping[str, Any]) -> dict[str, Any]:
    predictor = load_model(f"models:/{place.name}/{version}", env)
    told = described(place.name, version, predictor, env)
    # When it was registered tells a version from that of the same number in a registry which was made anew.
    return {
        "model": place.name,
        "alias": alias,
        "version": version,
        "example": told["example"],
        **bento.build(place, predictor, {**told, "made": made}),
    }


def start_servers(built: Mapping[str, Any], env: Mapping[str, Any]) -> dict[str, Any]:
    """Starts what ``build_bentos`` made, each on a free port of the loopback, and waits until all are ready.

    Returns ``built`` whose champion and challenger have {server, url, log, reused} too. A bento that is served already
    is not started twice. Servers that no route names, left behind by a run that died, are ended. Raises RunError with
    the server's last words if one does not start; none of them is left then.
    """
    place = place_of(str(built["model"]), env)
    _require_machine()
    with place.lock():
        clear(place)
    started = dict(built)
    try:
        for one in arms_of(built):
            started[one["alias"]] = _started(place, one, _run_of(env))
    except BaseException:
        discard(place, started)
        raise
    return started


def _require_machine() -> None:
    """Raises ProfileError in a pod: a server that is started in one ends with it, minutes after all has looked well."""
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        raise ProfileError(
            "this step runs in a pod of Kubernetes, and what it starts would end with it",
            effect="Nothing was started.",
            remedy="Serve on a machine, or from the files that the task compose writes.",
        )


def arms_of(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The champion, and the challenger if there is one, of what these functions hand on."""
    return [told[alias] for alias in (CHAMPION, CHALLENGER) if told.get(alias)]


def clear(place: Place) -> int:
    """Ends the servers that the model's route does not name; how many processes. The caller holds the lock."""
    route = read_route(place)
    kept = [arm.server for arm in route.arms] if route else []
    return sum(processes.end(one) for one in processes.folders_below(place.servers) if one.name not in kept)


def end_unused(name: str, env: Mapping[str, Any]) -> int:
    """Ends the servers that a failed run has started and that get no traffic; how many processes there were.

    on_failure may come while another run is starting its own: those stay. ``env`` names the failed run.
    """
    place, run = place_of(name, env), _run_of(env)
    with place.lock():
        route = read_route(place)
        kept = [arm.server for arm in route.arms] if route else []
        own = [one for one in processes.folders_below(place.servers) if processes.record(one).get("run_id") == run]
        return sum(processes.end(one) for one in own if one.name not in kept)


def discard(place: Place, started: Mapping[str, Any]) -> None:
    """Ends servers that get no traffic; those that the route names stay."""
    with place.lock():
        route = read_route(place)
        kept = [arm.server for arm in route.arms] if route else []
        for one in arms_of(started):
            if one.get("server") and one["server"] not in kept:
                processes.end(place.servers / one["server"])


def _run_of(env: Mapping[str, Any]) -> str:
    return str(env.get("failed_run_id") or env.get("run_id", ""))


def _started(place: Place, built: Mapping[str, Any], run: str) -> dict[str, Any]:
    server = _served(place, built)
    if server:
        return _told(place, built, server, reused=True)
    said = ""
    for _ in range(_TRIES):
        server = f"{built['alias']}-{built['version']}-{secrets.token_hex(4)}"
        folder = place.servers / server
        port = processes.free_port()
        command = ["-m", "bentoml", "serve", str(built["bento"]), "--host", "127.0.0.1", "--port", str(port)]
        told = {"port": port, "bento": built["bento"], "version": built["version"], "run_id": run}
        processes.start(folder, command, bento.bento_environment(folder / "bentoml"), **told)
        try:
            if _becomes_ready(folder, port):
                return _told(place, built, server, reused=False)
            said = processes.log_end(folder)
        except BaseException:
            processes.end(folder)
            raise
        processes.end(folder)
        # Another program may have taken the port between our look and BentoML's.
        if "already in use" not in said:
            break
    raise RunError(
        f"BentoML does not serve version {built['version']} of {built['model']}: {said or 'it wrote nothing'}",
        effect="Traffic stays where it is.",
        remedy="See what the server says; the pipeline serving may be run again.",
    )


def _told(place: Place, built: Mapping[str, Any], server: str, *, reused: bool) -> dict[str, Any]:
    folder = place.servers / server
    url = f"http://127.0.0.1:{processes.record(folder)['port']}"
    return {**built, "server": server, "url": url, "log": str(folder / "server.log"), "reused": reused}


def _served(place: Place, built: Mapping[str, Any]) -> str:
    """The name of the server that the route names for this bento, if it lives; "" if there is none."""
    route = read_route(place)
    for arm in route.arms if route else ():
        folder = place.servers / arm.server
        if processes.record(folder).get("bento") == built["bento"] and processes.lives(folder):
            return arm.server
    return ""


def _becomes_ready(folder: Path, port: int) -> bool:
    import httpx

    until = time.monotonic() + _START
    while time.monotonic() < until and processes.lives(folder):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5, trust_env=False).status_code == 200:
                return processes.lives(folder)
        except httpx.HTTPError:
            pass
        time.sleep(_LOOK)
    return False
