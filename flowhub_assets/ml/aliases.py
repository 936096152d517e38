"""Where an alias of MLflow's registry stands: asked often, so nothing is imported or made while there is no registry.

MLflow's own client asks a server that is away again and again, for minutes. Whoever looks every few seconds asks once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from flowhub_assets.errors import FlowhubError, Unavailable

#: The seconds that a server has for its answer.
_SECONDS = 10
_ASKED = "/api/2.0/mlflow/registered-models/alias"
#: MLflow's answers where no version has the alias: there is no such model, no such alias, no such version any more.
_UNSET = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


@dataclass(frozen=True)
class AliasedVersion:
    """The version that has an alias; ``made`` is when it was registered, in milliseconds since 1970."""

    version: str
    made: int


def aliased(model: str, alias: str, env: Mapping[str, Any]) -> AliasedVersion | None:
    """The version of the registered ``model`` that has the ``alias``; None if there is none.

    Raises Unavailable where the registry does not answer.
    """
    from flowhub_assets.ml.tracking import tracking, tracking_uri

    uri = tracking_uri(env)
    if uri.startswith("sqlite:///") and not os.path.exists(uri.removeprefix("sqlite:///")):
        return None
    try:
        if uri.startswith(("http://", "https://")):
            return _of_server(uri, model, alias)
        found = tracking(env).get_model_version_by_alias(model, alias)
        return AliasedVersion(str(found.version), int(found.creation_timestamp))
    except Exception as error:
        from mlflow.exceptions import MlflowException

        if isinstance(error, MlflowException) and error.error_code in _UNSET:
            return None
        why = error.what if isinstance(error, FlowhubError) else type(error).__name__
        raise Unavailable(
            f"MLflow's registry does not answer: {why}",
            where=f"{model}@{alias}",
            effect="Whether the alias has moved is not known; it is asked again.",
            remedy="Start the server that MLFLOW_TRACKING_URI of the profile names, or correct it.",
        ) from error


def _of_server(uri: str, model: str, alias: str) -> AliasedVersion | None:
    """One request, and no other where it fails."""
    from mlflow.utils import credentials, rest_utils

    # Neither has types.
    rest, creds = cast("Any", rest_utils), cast("Any", credentials).get_default_host_creds(uri)
    asked = {"name": model, "alias": alias}
    answer = rest.http_request(
        creds, _ASKED, "GET", max_retries=0, timeout=_SECONDS, raise_on_status=False, params=asked
    )
    found = rest.verify_rest_response(answer, _ASKED).json()["model_version"]
    return AliasedVersion(str(found["version"]), int(found["creation_timestamp"]))
