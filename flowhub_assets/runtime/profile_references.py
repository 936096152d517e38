"""Profiles whose credentials are names of environment variables, as exports write them: {"env": "NAME"}."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from flowhub_assets.errors import ProfileError


def referenced_variable(value: object) -> Optional[str]:
    """The variable that ``{"env": "NAME"}`` names; None for any other value."""
    if isinstance(value, Mapping) and len(value) == 1 and isinstance(value.get("env"), str):
        name: str = value["env"]
        return name
    return None


def resolved(
    profile: Mapping[str, Any], environment: Mapping[str, str], *, name: str = "", secret: str = ""
) -> dict[str, Any]:
    """``profile`` with the value of its variable in the place of each reference, however deep it lies.

    ``name`` is the profile's, ``secret`` that of the Kubernetes Secret from which the variables come. Raises one
    ProfileError that names every variable which is not set, or empty.
    """
    missing = {variable: key for key, variable in references(profile, "") if not environment.get(variable, "").strip()}
    if missing:
        told = ", ".join(f"{key} is the environment variable {variable!r}" for variable, key in missing.items())
        create = " ".join(f"--from-literal={variable}=..." for variable in missing)
        whose = f"env profile {name!r}" if name else "the profile"
        raise ProfileError(
            f"{whose} lacks {len(missing)} of its values: {told}, which is not set",
            effect="Nothing was run.",
            remedy=f"Create the Kubernetes Secret: kubectl create secret generic {secret} {create}"
            if secret
            else f"Set {', '.join(missing)} where this process starts",
        )
    found: dict[str, Any] = _with_values(profile, environment)
    return found


def references(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(path of keys, variable) of each reference inside ``value``, which lies at ``path``."""
    variable = referenced_variable(value)
    if variable is not None:
        yield path, variable
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from references(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from references(item, f"{path}[{index}]")


def _with_values(value: Any, environment: Mapping[str, str]) -> Any:
    variable = referenced_variable(value)
    if variable is not None:
        return environment[variable].strip()
    if isinstance(value, Mapping):
        return {key: _with_values(item, environment) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_values(item, environment) for item in value]
    return value
