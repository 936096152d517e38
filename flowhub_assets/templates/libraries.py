"""Libraries that a template needs in the task's image and the rest of the package does not."""

from __future__ import annotations

import importlib
from typing import Any

from flowhub_assets.errors import RunError


def library(module: str, package: str, template: str) -> Any:
    """The module of that name. Raises RunError, naming what to install, if the image does not have it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise RunError(
            f"template.{template} needs the Python package {package}, which cannot be imported here: {error}",
            effect="The task cannot run in this image.",
            remedy=f"Put it into the task's image: pip install {package}"
            " (pip install 'flowhub-assets[templates]' brings those of all templates).",
        ) from error
