"""Which files of a folder are pipeline files."""

from __future__ import annotations

import re

from flowhub_assets.from_python.finding import files_ending
from flowhub_assets.ir.spelling import did_you_mean

ENDINGS = (".yaml", ".yml", ".json")

# At the beginning of a line, or of a JSON object: a pipeline in a ConfigMap's text is none of the folder's own.
_VERSION = re.compile(r"""(?:^|[{,]\s*)["']?api_?version["']?\s*:\s*["']?([^\s"',}#]*)""", re.MULTILINE | re.IGNORECASE)
_KIND = re.compile(r"""(?:^|[{,]\s*)["']?kind["']?\s*:\s*["']?Pipeline\b""", re.MULTILINE)
_FAMILY = "flume/"

#: A pipeline says what it is at its beginning; documents behind the first are behind one that does.
_BYTES_READ = 64 * 1024


def find_files(folder: str) -> list[str]:
    """The files under ``folder`` that hold pipelines, sorted.

    Their text says so, with apiVersion: flume/...; or with kind: Pipeline and something that was to be that. Other
    YAML and JSON, which many folders hold, is passed over, and so is what ``from_python.finding`` passes over.
    """
    return [path for path in files_ending(folder, *ENDINGS) if _counts(path)]


def is_pipeline_text(text: str) -> bool:
    """Whether ``text`` says that it is a pipeline, or was meant to."""
    versions = _VERSION.findall(text)
    if any(version.lower().startswith(_FAMILY) for version in versions):
        return True
    if not _KIND.search(text):
        return False
    return not versions or any(did_you_mean(version, ("flume/v1",), likeness=0.7) for version in versions)


def _counts(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            start = file.read(_BYTES_READ)
    except OSError:
        return False
    encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return is_pipeline_text(start.decode(encoding, "replace"))
