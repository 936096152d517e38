"""Which kinds of node there are: the built-in ones, those that were registered, those of installed packages.

A built-in kind is imported when it is first asked for; the packages of the entry-point group ``flowhub.nodes`` when
a name is asked for that nobody else has. An entry point names a Node class, or a module that registers some.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import TypeVar

from flowhub_assets.errors import DefinitionError, FlowhubError
from flowhub_assets.ir.spelling import did_you_mean
from flowhub_assets.nodes.builtin import BUILTIN
from flowhub_assets.nodes.execution import file_of, place_of
from flowhub_assets.nodes.kind_checks import require_kind
from flowhub_assets.nodes.sdk import Node
from flowhub_assets.runtime import imports

GROUP = "flowhub.nodes"
_BUILTIN_PACKAGE = "flowhub_assets.nodes.builtin"

Kind = TypeVar("Kind", bound=type[Node])

_registered: dict[str, type[Node]] = {}
#: What installed packages did not manage to register; None until they were looked at.
_failures: list[FlowhubError] | None = None


def register(kind: Kind) -> Kind:
    """Makes ``kind`` usable as ``type:`` of a pipeline file; returns it, so it can stand above the class as well.

    The same class, read again from the same file, takes its own place. Raises DefinitionError if something is wrong
    with the class, or if its name is another kind's.
    """
    require_kind(kind)
    other = _registered.get(kind.name)
    if kind.name in BUILTIN and not _is_built_in(kind):
        raise _clash(kind, "a built-in kind")
    if other is not None and not _is_same(kind, other):
        raise _clash(kind, f"{other.__name__} at {place_of(other)}")
    _registered[kind.name] = kind
    return kind


def get(name: str) -> type[Node]:
    """The kind of that name. Raises DefinitionError, with the nearest name, if there is none."""
    kind = _registered.get(name)
    if kind is None and name in BUILTIN:
        kind = _load_builtin(name)
    if kind is None:
        failures = load_installed()
        kind = _registered.get(name)
        if kind is None:
            raise _unknown(name, failures)
    return kind


def names() -> list[str]:
    """The names of all kinds, sorted; built-in kinds are not imported for it."""
    load_installed()
    return sorted({*BUILTIN, *_registered})


def all() -> list[type[Node]]:  # noqa: A001 - read as registry.all()
    """All kinds, in the order of their names."""
    return [get(name) for name in names()]


def registered() -> dict[str, type[Node]]:
    """The kinds that are loaded by now, by name."""
    return dict(_registered)


def load_installed() -> list[FlowhubError]:
    """Registers the kinds of installed packages, once; what is wrong with each that could not be."""
    global _failures
    # A package may ask for a kind while it is imported, and another thread must not see half of them.
    with imports.lock():
        if _failures is None:
            _failures = []
            _failures += _failures_of_packages()
        return _failures


def forget(name: str) -> None:
    """Takes a registered kind out again, if it is there: for tests, and for files that are gone."""
    _registered.pop(name, None)


def _failures_of_packages() -> Iterator[FlowhubError]:
    from importlib.metadata import entry_points  # costs 20 ms, and most pipelines need built-in kinds only

    for point in entry_points(group=GROUP):
        try:
            loaded = point.load()
            if isinstance(loaded, type):
                register(loaded)
        except FlowhubError as error:
            yield error
        except Exception as error:  # noqa: BLE001 - whatever a foreign package raises when it is imported
            package = point.dist.name if point.dist else point.value
            yield DefinitionError(
                f"entry point {point.name!r} ({point.value}) of package {package!r} cannot be loaded: "
                f"{type(error).__name__}: {error}",
                effect="its kinds of node cannot be used",
                remedy=f"mend or uninstall the package: pip uninstall {package}",
            )


def _load_builtin(name: str) -> type[Node]:
    module = importlib.import_module(f"{_BUILTIN_PACKAGE}.{BUILTIN[name]}")
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Node) and value.__dict__.get("name") == name:
            return register(value)
    raise DefinitionError(f"built-in kind {name!r} is not in its module {module.__name__}")


def _is_same(kind: type[Node], other: type[Node]) -> bool:
    return kind is other or (kind.__qualname__ == other.__qualname__ and file_of(kind) == file_of(other))


def _is_built_in(kind: type[Node]) -> bool:
    return kind.__module__.startswith(f"{_BUILTIN_PACKAGE}.")


def _clash(kind: type[Node], whose: str) -> DefinitionError:
    return DefinitionError(
        f"{kind.__name__} has the name {kind.name!r} of {whose}",
        where=place_of(kind),
        effect="one would hide the other",
        remedy=f'give it another name: name = "my-{kind.name}"',
    )


def _unknown(name: str, failures: list[FlowhubError]) -> DefinitionError:
    near = did_you_mean(name, names())
    remedy = near or "`flowhub nodes` lists them all; a kind of your own needs registry.register"
    if failures:
        not_loaded = "; ".join(error.what for error in failures)
        remedy = f"{remedy if near else f'{remedy}.'} Not loaded: {not_loaded}"
    return DefinitionError(f"there is no kind of node {name!r}", effect="a node of this type cannot run", remedy=remedy)
