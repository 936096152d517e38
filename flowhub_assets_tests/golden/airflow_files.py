"""The two files that an export to Airflow writes, with what the ConfigMaps' archives hold instead of their bytes.

Another liblzma packs the same files to other bytes, and a change in flowhub's own modules is no change of a pipeline.
"""

from __future__ import annotations

import base64
import hashlib
import re

from flowhub_assets.ir.pipeline import DEFAULT_PROFILE
from flowhub_assets.pods.archive import unpack
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.to_airflow.export import Export, export

#: The profile that ``flowhub export airflow`` takes where a pipeline has it.
PROFILE = "airflow"
#: flowhub's own modules, as boot.py knows them.
ROWS = "rows.tar.xz"

_ARCHIVE = re.compile(r'^  "(?P<name>[^"]+\.tar\.xz)": "(?P<packed>[^"]+)"\n', re.MULTILINE)


def dag_text(runnable: Runnable) -> str:
    """The DAG file word for word."""
    return _exported(runnable).dag


def code_text(runnable: Runnable) -> str:
    """The ConfigMap file, with a list of its files in the place of each archive.

    A file of the pipeline's own has its size and the begin of its SHA-256.
    """
    return listed(_exported(runnable).code)


def listed(text: str) -> str:
    """``text`` of a ConfigMap file with the archives unpacked to lists."""
    return _ARCHIVE.sub(lambda found: _list(found["name"], unpack(base64.b64decode(found["packed"]))), text)


def _list(archive: str, files: dict[str, bytes]) -> str:
    lines = [f"    {name}" if archive == ROWS else f"    {name}: {_told(content)}" for name, content in files.items()]
    return "\n".join([f'  "{archive}":', *lines]) + "\n"


def _told(content: bytes) -> str:
    return f"{len(content)} bytes, {hashlib.sha256(content).hexdigest()[:16]}"


def _exported(runnable: Runnable) -> Export:
    has_it = PROFILE in runnable.pipeline.profiles
    return export(runnable.pipeline, PROFILE if has_it else DEFAULT_PROFILE)
