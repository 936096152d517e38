"""Prints what pyproject.toml asks for: ``python requirements.py pyproject.toml nodes,server``, in bare Python."""

import sys
import tomllib
from pathlib import Path


def requirements(project: dict[str, object], extras: list[str]) -> list[str]:
    """The dependencies of a pyproject.toml's [project] and those of its ``extras``; exits for one that is not there."""
    optional = project.get("optional-dependencies", {})
    own = project.get("dependencies", [])
    assert isinstance(optional, dict)
    assert isinstance(own, list)
    unknown = [extra for extra in extras if extra not in optional]
    if unknown:
        sys.exit(f"EXTRAS: pyproject.toml has no extra {unknown[0]!r}; it has {', '.join(sorted(optional))}")
    return [*own, *(line for extra in extras for line in optional[extra])]


if __name__ == "__main__":
    path, wanted = sys.argv[1:]
    table = tomllib.loads(Path(path).read_text("utf-8"))["project"]
    print("\n".join(requirements(table, [part for part in wanted.split(",") if part])))
