"""A new version takes the traffic: built, started, asked with known rows, switched to; the old one is ended last.

Each step leaves what a later run recovers from, whatever dies in between:

- what the route names is what is served; a server that no route names is ended by the next run
- the route is one file, replaced as a whole, and only after the new server has answered as the model in MLflow does
- the old server is ended when the front has the new one and has no request under way with the old
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from flowhub_assets.errors import RunError
from flowhub_assets.ml.serving import bento, processes
from flowhub_assets.ml.serving.front_process import asked, ensure_front, front_url, stop_front
from flowhub_assets.ml.serving.golden import ask_golden, ask_rows
from flowhub_assets.ml.serving.places import Place, place_of, serving_folder
from flowhub_assets.ml.serving.routes import Arm, Route, read_route, write_route
from flowhub_assets.ml.serving.servers import arms_of, build_bentos, clear, start_servers

#: Seconds for the front to take a route, and to take an old one back.
_FRONT, _BACK = 60.0, 5.0
#: Seconds for requests under way with the old server.
_DRAIN = 60.0
_LOOK = 0.1


def serve(name: str, env: Mapping[str, Any], share: float = 0.0) -> dict[str, Any]:
    """Serves the champion of the model ``name``, and beside it the challenger with ``share`` of the traffic.

    Builds, starts, asks, switches: the four tasks of the pipeline serving in one call, with the last one's value.
    Raises InputError for a model that has no champion; RunError, with what was served before still served.
    """
    started = start_servers(build_bentos(name, env, share), env)
    ask_golden(started, env)
    return switch_traffic(started, env)


def switch_traffic(started: Mapping[str, Any], env: Mapping[str, Any]) -> dict[str, Any]:
    """Sends the traffic to the servers that ``start_servers`` returned.

    The front is asked before the old servers are ended; where it does not answer with the new versions, the old route
    is put back and the new servers are ended. Returns {model, version, challenger (its version), share, url, ended
    (versions that were served before)}. Raises RunError.
    """
    place = place_of(str(started["model"]), env)
    with place.lock():
        old = read_route(place)
        before = [str(processes.record(place.servers / arm.server).get("bento")) for arm in old.arms] if old else []
        arms = {one["alias"]: _arm(place, one) for one in arms_of(started)}
        since = old.since if old else time.time()
        new = Route(place.name, since, **arms, share=float(started["share"]))
        try:
            ensure_front(env)
            write_route(place, new)
            _require_front(new, env)
            for arm in new.arms:
                _answers_through_front(place, arm, front_url(env))
        except BaseException:
            _take_back(place, new, old, env)
            raise
        _drain(old, new, env)
        clear(place)
        # Those of before stay until the next switch: a rollback builds nothing.
        bento.clear(place, [*before, *(str(one["bento"]) for one in arms_of(started))])
    return {
        "model": place.name,
        "version": new.champion.version,
        "challenger": new.challenger.version if new.challenger else None,
        "share": new.share,
        "url": front_url(env),
        "ended": [arm.version for arm in old.arms if arm not in new.arms] if old else [],
    }


def stop_serving(name: str, env: Mapping[str, Any]) -> dict[str, Any]:
    """Ends all servers of the model, and the front with the last model. Nothing there is no error.

    Returns {model, stopped: how many processes, front: whether it was ended}.
    """
    place = place_of(name, env)
    with place.lock():
        write_route(place, None)
        stopped = clear(place)
    others = list(serving_folder(env).glob("*/route.json"))
    return {"model": name, "stopped": stopped, "front": False if others else stop_front(env)}


def _arm(place: Place, told: Mapping[str, Any]) -> Arm:
    folder = place.servers / str(told["server"])
    if not processes.lives(folder):
        raise RunError(
            f"the server of version {told['version']} is gone",
            where=folder,
            effect="Traffic stays where it is.",
            remedy="It died, or another run of serving ended it: run the pipeline serving again.",
        )
    return Arm(str(told["alias"]), str(told["version"]), folder.name, str(told["url"]))


def _take_back(place: Place, new: Route, old: Route | None, env: Mapping[str, Any]) -> None:
    write_route(place, old)
    # The front looks at files twenty times a second: until it has the old route it still asks who is ended here.
    if old is not None and _front_has(old, env, _BACK):
        _drain(new, old, env)
    clear(place)


def _require_front(route: Route, env: Mapping[str, Any]) -> None:
    if not _front_has(route, env, _FRONT):
        raise RunError(
            f"the front at {front_url(env)} does not take the new route",
            effect="The old one was put back.",
            remedy="See its log, serving/front/process/server.log in the workspace, and run serving again.",
        )


def _front_has(route: Route, env: Mapping[str, Any], seconds: float) -> bool:
    """Whether the front tells of this route, within that time."""
    wanted = {"share": route.share, **{arm.alias: [arm.version, arm.server] for arm in route.arms}}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if (asked(env) or {}).get("models", {}).get(route.model) == wanted:
            return True
        time.sleep(_LOOK)
    return False


def _answers_through_front(place: Place, arm: Arm, front: str) -> None:
    told = bento.served_by(str(processes.record(place.servers / arm.server)["bento"]))
    answer = ask_rows(f"{front}/{place.name}", [told["example"]], alias=arm.alias)
    if answer["version"] != arm.version:
        raise RunError(
            f"the front answers with version {answer['version']}, not {arm.version}",
            effect="The old route was put back.",
            remedy="Run the pipeline serving again.",
        )


def _drain(old: Route | None, new: Route, env: Mapping[str, Any]) -> None:
    """Waits until nothing is under way with servers that get no more, or long enough for what they answer at all."""
    kept = [arm.server for arm in new.arms]
    leaving = {arm.server for arm in old.arms if arm.server not in kept} if old else set()
    until = time.monotonic() + _DRAIN
    while leaving and time.monotonic() < until:
        told = asked(env)
        if told is None or not leaving & set(told["under_way"]):
            return
        time.sleep(_LOOK)
