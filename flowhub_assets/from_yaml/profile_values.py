"""Values of profiles and of a node's env: a file that others read holds no URL with a password in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowhub_assets.from_yaml.positions import Path
from flowhub_assets.from_yaml.section import Section
from flowhub_assets.nodes.url_passwords import holds_password
from flowhub_assets.nodes.validation import path_text

_EFFECT = "whoever reads the file could use it"


def profile_values(section: Section, key: str) -> dict[str, Any]:
    """The object ``key`` of ``section``; tells each URL in it that has a password, which the message does not show."""
    values = dict(section.mapping(key, "{WORKSPACE: ./tmp}"))
    for path in _with_password(values, ()):
        what = f"{path_text(path)} is a URL with a password in it"
        section.report.tell((*section.path, key, *path), what, _EFFECT, _remedy(path))
    return values


def _with_password(value: Any, path: Path) -> Iterator[Path]:
    if isinstance(value, str) and holds_password(value):
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _with_password(item, (*path, key))


def _remedy(path: Path) -> str:
    name = str(path[0])
    if len(path) == 1 and name.endswith("_URL"):
        return f"write {name}: {{env: {name}}}, and set that environment variable where it runs"
    if name == "ENDPOINT":
        return "write the address alone; ACCESS_KEY and SECRET_KEY are values of their own"
    return "take the password out, and have it in an environment variable"
