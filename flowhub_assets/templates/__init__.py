"""Ready task bodies: what a team would otherwise write again, called from a task of its own.

    @task(image='my-registry/read-pdf:v1')
    def read_pdf(args):
        return template.read_pdf(args)

Each takes ``args`` (with the profile in ``args['env']``) and returns ``{**args, ...its own keys}``. Files come
from and go to the profile's storage and travel as URLs. Importing this package needs Python alone; a body
imports its libraries (``pip install 'flowhub-assets[templates]'``) when it runs, in the task's own image.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowhub_assets.templates.pdf import read_pdf as read_pdf
    from flowhub_assets.templates.speakers import analyze_speaker as analyze_speaker
    from flowhub_assets.templates.transcription import transcript as transcript
    from flowhub_assets.templates.voice import extract_voice as extract_voice

# No module here may be called like a body: importing it would put the module in the body's place.
_HOME = {
    "analyze_speaker": "flowhub_assets.templates.speakers",
    "extract_voice": "flowhub_assets.templates.voice",
    "read_pdf": "flowhub_assets.templates.pdf",
    "transcript": "flowhub_assets.templates.transcription",
}

__all__ = ["analyze_speaker", "extract_voice", "read_pdf", "transcript"]


def __getattr__(name: str) -> Any:
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"there is no template {name!r}; there are {', '.join(__all__)}") from None
    body = getattr(importlib.import_module(home), name)
    globals()[name] = body
    return body


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
