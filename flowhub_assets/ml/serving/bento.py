"""The BentoML service of one version: a folder with the model's files, what is told of it, and five lines of Python.

Nothing in it is a pickle, and it needs neither MLflow nor the storage: several workers, or a container, read the
model from the bento itself. It is built by ``bentoml build`` in a process of its own, with BENTOML_HOME in the
workspace, so that the user's home is not touched; nothing is told to BentoML's makers.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import RunError
from flowhub_assets.ml.model_files import write_model
from flowhub_assets.ml.serving.places import Place, read_json
from flowhub_assets.ml.serving.processes import plain_environment

if TYPE_CHECKING:
    from flowhub_assets.ml.model_files import Predictor

_SECONDS = 300
_TOLD = 2000
_SERVICE = '''"""The service of this bento; BentoML reads it."""

from pathlib import Path

from flowhub_assets.ml.serving.service import service_of

service = service_of(Path(__file__).resolve().parent)
'''
_BENTOFILE = {
    "service": "service:service",
    "include": ["service.py", "serving.json", "model/**"],
    # Nothing is resolved over the network; the image of deploy/images has what is needed.
    "python": {"lock_packages": False},
}


def build(place: Place, predictor: Predictor, told: Mapping[str, Any]) -> dict[str, str]:
    """Builds the bento of a model; ``told`` is what becomes serving.json.

    Returns {"bento": its folder, "tag": name:version}. The same words are the same bento, built once:
    they name a version of the registry, whose model never changes.
    Raises RunError with what BentoML says where it does not build.
    """
    tag = f"{told['version']}-{_digest(told)}"
    folder = place.bentos / "bentos" / place.name / tag
    if not (folder / "bento.yaml").is_file():
        place.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="building-", dir=place.folder) as scratch:
            _lay_out(Path(scratch) / "source", predictor, told)
            _run_bentoml(Path(scratch), place, tag, folder)
    return {"bento": str(folder), "tag": f"{place.name}:{tag}"}


def bento_environment(home: Path) -> dict[str, str]:
    """The variables with which BentoML keeps to ``home`` and to itself."""
    return {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"}


def _lay_out(source: Path, predictor: Predictor, told: Mapping[str, Any]) -> None:
    about = dict(predictor.about)
    write_model(str(source / "model"), about["model"], predictor.estimator, predictor.encoding, about)
    (source / "serving.json").write_text(json.dumps(told, ensure_ascii=False, indent=1), "utf-8")
    (source / "service.py").write_text(_SERVICE, "utf-8")
    # JSON is YAML.
    (source / "bentofile.yaml").write_text(json.dumps(_BENTOFILE), "utf-8")


def _run_bentoml(scratch: Path, place: Place, tag: str, folder: Path) -> None:
    # A home beside the store: a bento that is half there when this process dies is never taken for a whole one.
    home = scratch / "home"
    command = [sys.executable, "-m", "bentoml", "build", str(scratch / "source"), "--version", tag, "--output", "tag"]
    try:
        done = subprocess.run(
            command,
            cwd=scratch,
            env=plain_environment(**bento_environment(home)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
        )
        said, status = done.stdout.decode("utf-8", "replace"), done.returncode
    except subprocess.TimeoutExpired:
        said, status = f"it took longer than {_SECONDS} seconds", -1
    built = home / "bentos" / place.name / tag
    if status != 0 or not built.is_dir():
        raise RunError(
            f"BentoML does not build {place.name}: {said.strip()[-_TOLD:]}",
            effect="Nothing was started; what is served stays as it is.",
            remedy="pip install 'flowhub-assets[ml]' where this step runs, if it lacks a package.",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not folder.exists():
        built.rename(folder)


def _digest(told: Mapping[str, Any]) -> str:
    return hashlib.sha256((_SERVICE + json.dumps(told, sort_keys=True)).encode()).hexdigest()[:12]


def served_by(bento: str) -> dict[str, Any]:
    """What serving.json of a bento says. Raises RunError where it is gone."""
    told = read_json(Path(bento) / "src" / "serving.json")
    if told is None:
        raise RunError("the bento is gone", where=bento, remedy="Run the pipeline serving again.")
    return told


def clear(place: Place, kept: Sequence[str]) -> None:
    """Removes the model's bentos but those ``kept``: each holds a whole model."""
    for folder in (place.bentos / "bentos" / place.name).glob("*"):
        if str(folder) not in kept:
            shutil.rmtree(folder, ignore_errors=True)
