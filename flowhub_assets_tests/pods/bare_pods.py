"""Pods without a cluster: an exported pipeline's folder, and a Python that has nothing installed to run it."""

from __future__ import annotations

import base64
import functools
import json
import os
import shutil
import signal
import subprocess
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flowhub_assets.pods import boot
from flowhub_assets.pods.archive import pack
from flowhub_assets_tests.checkout import ROOT

_MOST_CHARACTERS = 96 * 1024
_SECONDS = 60
_PACKAGE = ROOT / "flowhub_assets"
_ROWS = ("__init__.py", "errors.py", "names.py", "ir", "runtime", "from_python")


def bare_python(folder: Path) -> str:
    """A Python of its own with an empty site-packages; the path of its interpreter."""
    venv.create(folder, with_pip=False, symlinks=True)
    return str(folder / "bin" / "python")


@dataclass(frozen=True)
class Ended:
    """How a pod ended: its result document (None if it wrote none), exit code and log."""

    document: dict[str, Any] | None
    code: int
    log: str

    @property
    def value(self) -> dict[str, Any]:
        """The value inside the document of a step that ended well."""
        assert self.code == 0, self.log
        assert self.document is not None
        value: dict[str, Any] = self.document["value"]
        return value

    @property
    def failure(self) -> dict[str, Any]:
        """What the document tells of a step that failed."""
        assert self.code == 1, self.log
        assert self.document is not None
        failure: dict[str, Any] = self.document["failure"]
        return failure


@dataclass(frozen=True)
class Export:
    """An exported pipeline, as its pods find it in ``folder``."""

    python: str
    folder: Path
    module: str = "flowhub_assets.from_python.pod"
    environment: Mapping[str, str] = field(default_factory=dict)

    def started(self, result: Path, *options: str, **order: Any) -> subprocess.Popen[str]:
        """A pod that has begun: a process in a folder of its own, which knows no other variable of this one."""
        result.parent.mkdir(parents=True)
        text = json.dumps({"run_id": "run-1", **order}).replace("$", "\\u0024")
        parts = [text[at : at + _MOST_CHARACTERS] for at in range(0, len(text), _MOST_CHARACTERS)]
        variables = {f"FLOWHUB_STEP_{n}" if n > 1 else "FLOWHUB_STEP": part for n, part in enumerate(parts, 1)}
        environment = {"PATH": os.defpath, "TMPDIR": str(result.parent), **self.environment, **variables}
        return subprocess.Popen(
            [self.python, str(self.folder / "boot.py"), "--module", self.module, "--result", str(result), *options],
            cwd=result.parent,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )

    def run(self, part: str, *tasks: str, options: tuple[str, ...] = (), **order: Any) -> Ended:
        """A pod from its start to its end."""
        result = self._place() / "return.json"
        return ended(self.started(result, *options, part=part, tasks=tasks, **order), result)

    def _place(self) -> Path:
        pods = self.folder.parent / "pods"
        return pods / str(len(list(pods.iterdir())) if pods.exists() else 0)

    def given(self, **environment: str) -> Export:
        """The same with these environment variables, as from a Secret."""
        return replace(self, environment={**self.environment, **environment})


def ended(process: subprocess.Popen[str], result: Path) -> Ended:
    """How a pod that was started has ended; what it has unpacked must be gone by then."""
    try:
        log, _ = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        raise
    document = json.loads(result.read_text("ascii")) if result.exists() else None
    left = [path.name for path in result.parent.iterdir() if path.name.startswith("flowhub-")]
    assert left == [], left
    return Ended(document, process.returncode, log)


def export(folder: Path, python: str, files: Mapping[str, str | bytes], **told: Any) -> Export:
    """Writes what a ConfigMap would hold; ``told`` goes into pipeline.json, over a Python flow of workflow.py."""
    place = folder / "flowhub"
    place.mkdir(parents=True)
    shutil.copy(boot.__file__, place / "boot.py")
    (place / "rows.tar.xz").write_bytes(pack(whole_rows()))
    code = {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}
    (place / "code.tar.xz").write_bytes(pack(code))
    document = {
        "format": 1,
        "file": "workflow.py",
        "flow": "flow",
        "kind": "python",
        "argv": [],
        "profile_name": "airflow",
        "profile": {},
        "secret": "flow-secrets",
        **told,
    }
    (place / "pipeline.json").write_text(json.dumps(document), "utf-8")
    return Export(python, place)


@functools.cache
def whole_rows() -> Mapping[str, bytes]:
    """All of rows 1 to 4 and the import name, as they are written."""
    paths = [
        path for row in _ROWS for path in ([_PACKAGE / row] if row.endswith(".py") else (_PACKAGE / row).rglob("*.py"))
    ]
    name = _PACKAGE / "from_python" / "import_name"
    rows = {str(path.relative_to(ROOT)): path.read_bytes() for path in paths if name not in path.parents}
    return {**rows, **{str(path.relative_to(name)): path.read_bytes() for path in name.rglob("*.py")}}


def noise(size: int) -> str:
    """Text of that many characters that no archive makes smaller."""
    return base64.b64encode(os.urandom(size)).decode()[:size]
