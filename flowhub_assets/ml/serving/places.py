"""Where serving keeps its state: ``<WORKSPACE>/serving/<model>/``, on the machine whose processes serve.

route.json        what the front forwards to: champion, and challenger where traffic is split
bentos/           BentoML's store of this model: one folder for each version that was built
servers/<id>/     one for each server that was started: process.json, server.log, what BentoML writes
lock              held while any of it changes
front/            the front's own process.json and log, beside the models
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowhub_assets.errors import InputError, ProfileError
from flowhub_assets.runtime.part_file import file_errors, part_file

#: What a model may be called here: its name is a folder, a path of the front and a name of BentoML.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
#: Names under serving/ and paths of the front that no model can have.
_TAKEN = ("front", "metrics", "predict", "docs", "healthz", "livez", "readyz")


@dataclass(frozen=True)
class Place:
    """The folder of one model's serving state."""

    name: str
    folder: Path

    @property
    def route(self) -> Path:
        """The file that the front reads."""
        return self.folder / "route.json"

    @property
    def bentos(self) -> Path:
        """BENTOML_HOME while a bento is built."""
        return self.folder / "bentos"

    @property
    def servers(self) -> Path:
        """One folder in it for each server."""
        return self.folder / "servers"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the lock of this model; another process waits. The system frees it when its holder dies."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with file_errors(str(self.folder / "lock"), "open"):
            file = open(self.folder / "lock", "w", encoding="utf-8")  # noqa: SIM115 - only opening may fail as a file
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def serving_folder(env: Mapping[str, Any]) -> Path:
    """``<WORKSPACE>/serving``, absolute. Raises ProfileError where the profile names no folder of this machine."""
    workspace = env.get("WORKSPACE")
    if not isinstance(workspace, (str, os.PathLike)) or os.fspath(workspace) == "":
        raise ProfileError(
            "the profile names no WORKSPACE",
            effect="A served model is a process of this machine, whose state has nowhere to lie.",
            remedy="Give it WORKSPACE (a folder) beside its BUCKET, or serve with Docker: ml.compose_files.",
        )
    return Path(os.path.abspath(os.path.expanduser(workspace))) / "serving"


def place_of(name: str, env: Mapping[str, Any]) -> Place:
    """The place of the model ``name``. Raises InputError for a name that cannot be served, and ProfileError."""
    if not _NAME.fullmatch(str(name)) or name in _TAKEN:
        raise InputError(
            f"{name!r:.80} cannot be the name of a served model",
            remedy="Small letters, digits and _, at most 63, a letter first; not " + ", ".join(_TAKEN) + ".",
        )
    return Place(name, serving_folder(env) / name)


def setting(env: Mapping[str, Any], key: str, default: int, low: int, high: int) -> int:
    """A whole number of the profile, which may stand there as text. Raises ProfileError outside ``low``..``high``."""
    value = env.get(key, default)
    try:
        number = int(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else None
    except ValueError:
        number = None
    if number is None or not low <= number <= high:
        raise ProfileError(f"{key} is {value!r:.40}", remedy=f"Write a whole number from {low} to {high}.")
    return number


def read_json(path: Path) -> dict[str, Any] | None:
    """What a file of ours says; None where there is none, or where it is not what we write."""
    try:
        told = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Writes it whole or not at all, and on the disk: what comes next relies on it."""
    with part_file(str(path)) as part, open(part, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
