"""Where outside systems are: a connection's name becomes a URL; a pipeline file holds the name only."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from flowhub_assets.errors import ProfileError
from flowhub_assets.ir.spelling import did_you_mean

_SUFFIX = "_URL"


def connection_key(name: str) -> str:
    """The key of a profile, and the environment variable, that holds the URL of connection ``name``: MONGODB_URL."""
    return re.sub(r"\W", "_", name).upper() + _SUFFIX


def connection_url(profile: Mapping[str, Any], name: str) -> str:
    """The URL of connection ``name``: the profile's NAME_URL, else that of the environment.

    The profile may name an environment variable instead of the URL: ``{"env": "MONGODB_URL"}``. Raises ProfileError
    if there is no URL; the error holds names only.
    """
    key = connection_key(name)
    given = profile.get(key)
    if isinstance(given, Mapping) and isinstance(given.get("env"), str) and len(given) == 1:
        return _from_environment(key, given["env"])
    if isinstance(given, str) and given.strip():
        return given.strip()
    if given is not None:
        raise ProfileError(
            f"{key} of the env profile is {'empty' if given == '' else f'a {type(given).__name__}'}, not a URL",
            effect=f"Connection {name!r} leads nowhere.",
            remedy=f"Write {key}: {{env: {key}}}, and set that environment variable.",
        )
    if os.environ.get(key, "").strip():
        return os.environ[key].strip()
    raise _missing(profile, name, key)


def _from_environment(key: str, variable: str) -> str:
    url = os.environ.get(variable, "").strip()
    if not url:
        raise ProfileError(
            f"{key} of the env profile is the environment variable {variable!r}, which is not set",
            effect=f"Whatever asks for {key} fails.",
            remedy=f"Set it where the run's process starts: export {variable}=...",
        )
    return url


def _missing(profile: Mapping[str, Any], name: str, key: str) -> ProfileError:
    known = [other for other in profile if other.endswith(_SUFFIX)]
    near = did_you_mean(key, known, likeness=0.7)
    remedy = f"Give it to the profile, {key}: {{env: {key}}} in the pipeline's profiles, or set that variable."
    return ProfileError(
        f"there is no connection {name!r}: neither the env profile nor the environment has {key}",
        effect=f"Whatever needs {name!r} fails.",
        remedy=f"{near} {remedy}" if near else remedy,
    )
