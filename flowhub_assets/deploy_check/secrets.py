"""Credentials that stand in a file instead of in a Secret."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import Any

from flowhub_assets.deploy_check.folder import Folder
from flowhub_assets.deploy_check.layers import Layers
from flowhub_assets.deploy_check.manifests import Manifest
from flowhub_assets.from_yaml.positions import Path
from flowhub_assets.from_yaml.problem import FileProblem
from flowhub_assets.runtime.secret_values import is_secret_name

#: Keys that name a Secret or a key of one: existingSecret, postgresqlSecretPasswordKey, tlsSecret.
_NAMES_ONE = re.compile(r"(?<!client)(?<!client_)([sS]ecrets?|[sS]ecret\w*Name|Secret\w+Key)$")
_PASSWORD_IN_URL = re.compile(r"://[^/\s:@$]*:[^/\s@$]+@")
_REFERENCE = re.compile(r"\$[({]")
_EFFECT = "whoever reads the file has it, and every copy of it"
_REMEDY = "put it into a Secret and name that one here"


def secret_problems(folder: Folder, layers: Iterable[Layers], manifests: Iterable[Manifest]) -> Iterator[FileProblem]:
    """Every credential that is written down; its value is not told."""
    for values in layers:
        for path, name in literals(values.data):
            yield FileProblem(*values.place(path), f"{name} is written down", _EFFECT, _REMEDY)
    for manifest in manifests:
        if manifest.data.get("kind") == "Secret" and (manifest.data.get("data") or manifest.data.get("stringData")):
            yield manifest.problem((), "it holds its values", _EFFECT, "make it with kubectl create secret")
        for path, name in literals(manifest.data):
            yield manifest.problem(path, f"{name} is written down", _EFFECT, _REMEDY)
    documents = [*folder.settings, *([folder.compose] if folder.compose else [])]
    for document in documents:
        for path, name in literals(document.data):
            remedy = "write {env: NAME}, or ${NAME:-...} in a compose file"
            yield FileProblem(document.file, *document.place(path), f"{name} is written down", _EFFECT, remedy)


def literals(data: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """The paths of credentials in ``data``, each with the name that says it is one."""
    if isinstance(data, dict):
        named = data.get("name")
        if isinstance(named, str) and isinstance(data.get("value"), str) and _is_credential(named, data["value"]):
            yield (*path, "value"), named
        for key, value in data.items():
            here = (*path, key)
            if isinstance(value, str) and _is_credential(str(key), value):
                yield here, str(key)
            elif isinstance(value, str) and str(key).endswith(".toml"):
                yield from ((here, name) for _path, name in literals(_toml(value)))
            else:
                yield from literals(value, here)
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from literals(value, (*path, index))
    elif isinstance(data, str) and _PASSWORD_IN_URL.search(data):
        yield path, "the password in a URL"


def _is_credential(key: str, value: str) -> bool:
    if not value or _REFERENCE.search(value) or _NAMES_ONE.search(key):
        return False
    return is_secret_name(key)


def _toml(text: str) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}
