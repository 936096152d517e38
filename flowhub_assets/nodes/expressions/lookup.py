"""Steps from a value to what is inside: only keys and indexes of plain JSON, never an attribute of a Python object."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NoReturn

from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.nodes.expressions.names import Name
from flowhub_assets.nodes.expressions.problem import ValueAbsent, described

#: So many keys are listed in a message.
_MOST_KEYS = 12

#: What to do instead of putting a profile's secret into a template.
BY_CONNECTION = "Name the connection in the node's config, connection: shop for SHOP_URL; the node looks it up itself."


class WithoutSecrets(dict[str, Any]):
    """An object out of which the keys ``withheld`` were taken: a template that asks for one is told so."""

    def __init__(self, shown: Mapping[str, Any], withheld: Collection[str]) -> None:
        super().__init__(shown)
        self.withheld = withheld


class Missing:
    """Stands for a value that is not there: a path through it leads to itself, any other use raises ValueAbsent.

    So ``default(x, y)`` and ``x is defined`` can ask for it, and nothing else can go on with it by mistake.
    """

    __slots__ = ("among", "key", "remedy", "what")

    def __init__(self, what: str, remedy: str = "", key: object = None, among: Mapping[str, Any] | None = None) -> None:
        self.what = what
        self.remedy = remedy
        self.key = key
        self.among = among

    def fail(self, *_: object) -> NoReturn:
        """Raises ValueAbsent, which names the nearest of the keys that are there."""
        raise ValueAbsent(self.what, remedy=self.remedy or _nearest(self.key, self.among or {}), key=self.key)

    __bool__ = __str__ = __iter__ = __len__ = __eq__ = __ne__ = __hash__ = __contains__ = fail
    __lt__ = __le__ = __gt__ = __ge__ = __add__ = __radd__ = __call__ = __int__ = __float__ = fail


def is_missing(value: object) -> bool:
    """Whether it stands for a value that is not there: ours, or Jinja's for a variable that was never set."""
    return isinstance(value, Missing) or getattr(type(value), "stands_for_missing", False)


def inside(value: Any, key: Any) -> Any:
    """``value[key]``; Missing where there is no such thing. A step into null is missing as well."""
    if is_missing(value):
        return value
    if isinstance(value, Mapping):
        if isinstance(key, str) and key in value:
            return value[key]
        if isinstance(value, WithoutSecrets) and key in value.withheld:
            return Missing(f"templates are not given the secret {key!r}", BY_CONNECTION, key, value)
        return Missing(f"there is no {key!r}", key=key, among=value)
    if isinstance(value, (list, tuple)) and isinstance(key, int) and not isinstance(key, bool):
        if -len(value) <= key < len(value):
            return value[key]
        return Missing(f"there is no item {key} in a list of {len(value)}", key=key)
    if isinstance(value, str) and isinstance(key, int) and not isinstance(key, bool):
        if -len(value) <= key < len(value):
            return value[key]
        return Missing(f"there is no character {key} in a text of {len(value)}", key=key)
    if value is None:
        return Missing(
            f"{key!r} is asked of null",
            "A node that was skipped gives null: default(a.output.text, '') gives another value for it.",
            key,
        )
    return Missing(f"there is no {key!r} in {described(value)}", key=key)


def follow(value: Any, path: tuple[Any, ...]) -> Any:
    """What the path leads to; Missing where it leads nowhere."""
    for key in path:
        value = inside(value, key)
    return value


def step_inside(value: Any, step: str) -> Any:
    """The same for a step that is written as text, where 0 is a list's index and an object's key."""
    return inside(value, int(step) if step.isdecimal() and isinstance(value, (list, tuple, str)) else step)


def located(problem: ValueAbsent, names: Iterable[Name], scope: Mapping[str, Any]) -> ValueAbsent:
    """The problem with the path that led nowhere and its place, if it is one of ``names``."""
    for name in names:
        value: Any = scope.get(name.path[0])
        for place, part in enumerate(name.path[1:], 1):
            value = step_inside(value, part)
            if isinstance(value, Missing):
                if value.key == problem.key and value.what == problem.what:
                    path = ".".join(name.path[:place])
                    what = f"{path} is null" if value.among is None and "null" in value.what else ""
                    return ValueAbsent(what or f"{problem.what} in {path}", name.offset, problem.remedy, problem.key)
                break
    return problem


def _nearest(key: object, among: Mapping[str, Any]) -> str:
    keys = [str(one) for one in among]
    there = f"There is {listed(keys[:_MOST_KEYS])}{' and more' if len(keys) > _MOST_KEYS else ''}."
    return did_you_mean(str(key), keys) or (there if keys else "")
