"""The packages that a check renders and validates with; they are not installed with flowhub_assets itself."""

from __future__ import annotations

import importlib
from typing import Any

from flowhub_assets.errors import InputError


def needed(module: str, package: str) -> Any:
    """The module, imported. Raises InputError that names ``package`` where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if (error.name or "").partition(".")[0] != module.partition(".")[0]:
            raise
        raise InputError(
            f"the package {package} is not installed",
            effect="Nothing was checked: a part of the check needs it.",
            remedy="Install it: pip install 'flowhub-assets[deploy]'",
        ) from None
