"""The keywords of @task and @flow, turned into plain data. What has the wrong type is refused at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from flowhub_assets.errors import DefinitionError
from flowhub_assets.from_python.where import caller
from flowhub_assets.ir.json_copy import json_copy
from flowhub_assets.ir.pipeline import Retry
from flowhub_assets.ir.spelling import did_you_mean, listed

#: The keywords of @task beside name and env, which @flow has too.
_TASK_WORDS = (
    "image cpu memory gpu tolerations node_selector volume_mounts request_cpu request_memory limit_cpu limit_memory"
    " limit_gpu ephemeral_storage limit_ephemeral_storage gpu_resource affinity labels annotations service_account_name"
    " image_pull_secrets priority_class_name active_deadline retries retry_delay retry_backoff retry_on timeout pool"
    " priority checks kinds deps"
).split()
#: The keywords of @flow beside name and env.
_FLOW_WORDS = (
    "description namespace params result grpc tags volumes labels annotations service_account_name image_pull_secrets"
    " on_failure airflow_sidecar_image repo path schedule timezone webhook object_arrival run_status model_alias"
    " partitions deadline freshness dedupe automation deps concurrency priority queue owners imports"
).split()
_BOTH = ["name", "env"]


def refuse_unknown(decorator: str, given: Iterable[str]) -> None:
    """Raises DefinitionError for the first of the keywords ``given`` that ``decorator``, 'task' or 'flow', has not."""
    own, other, neighbour = _TASK_WORDS, _FLOW_WORDS, "flow"
    if decorator == "flow":
        own, other, neighbour = _FLOW_WORDS, _TASK_WORDS, "task"
    unknown = next((word for word in given if word not in own and word not in _BOTH), None)
    if unknown is None:
        return
    if unknown == "description":
        remedy = "write it as the function's docstring"
    elif unknown in other:
        remedy = f"move it to the {neighbour}'s decorator: @{neighbour}({unknown}=...)"
    else:
        remedy = did_you_mean(unknown, [*own, *_BOTH]) or f"it has {listed([*_BOTH, *own])}"
    raise DefinitionError(f"@{decorator} has no keyword {unknown!r}", where=caller(), remedy=remedy)


def wrong(word: str, value: object, remedy: str) -> DefinitionError:
    """The error for a keyword whose value has the wrong type."""
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return DefinitionError(
        f"{word}={shown} is of type {type(value).__name__}", where=caller(), remedy=f"write {remedy}"
    )


def text(word: str, value: object, example: str) -> Optional[str]:
    """A string, or None."""
    if value is None or isinstance(value, str):
        return value
    raise wrong(word, value, f"a string: {word}={example!r}")


def texts(word: str, value: object, example: str) -> tuple[str, ...]:
    """A list of strings; None is an empty one."""
    items = sequence(word, value, f"[{example!r}]")
    for item in items:
        if not isinstance(item, str):
            raise wrong(f"{word}[{items.index(item)}]", item, f"a string: {word}=[{example!r}]")
    return items


def sequence(word: str, value: object, example: str) -> tuple[Any, ...]:
    """A list or tuple; None is an empty one."""
    if value is None:
        return ()
    if isinstance(value, (list, tuple)):
        return tuple(value)
    raise wrong(word, value, f"a list: {word}={example}")


def mapping(word: str, value: object, example: str) -> dict[str, Any]:
    """A dict with string keys, copied, its tuples made lists; None is an empty one. The values are never shown."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise DefinitionError(
            f"{word} is of type {type(value).__name__}", where=caller(), remedy=f"write a dict: {word}={example}"
        )
    for key in value:
        if not isinstance(key, str):
            raise wrong(f"a key of {word}", key, f"a string: {word}={example}")
    plain: dict[str, Any] = json_copy(value)
    return plain


def whole_number(word: str, value: object, example: int) -> int:
    """An int; None is 0."""
    if value is None:
        return 0
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise wrong(word, value, f"a whole number: {word}={example}")


def seconds(word: str, value: object) -> Optional[float]:
    """Seconds as a number, of a number or a timedelta; None stays None."""
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if hasattr(value, "total_seconds"):
        return float(value.total_seconds())
    raise wrong(word, value, f"seconds or a timedelta: {word}=600, {word}=timedelta(minutes=10)")


def whole_seconds(word: str, value: object) -> Optional[int]:
    """Whole seconds, of a number or a timedelta; None stays None."""
    number = seconds(word, value)
    if number is None or number.is_integer():
        return None if number is None else int(number)
    raise wrong(word, value, f"whole seconds: {word}=3600, {word}=timedelta(hours=1)")


def retry(words: Mapping[str, Any]) -> Retry:
    """What retries, retry_delay, retry_backoff and retry_on ask for. Raises DefinitionError for a wrong type."""
    times = whole_number("retries", words.get("retries"), 3)
    delay = seconds("retry_delay", words.get("retry_delay")) or 0.0
    backoff = text("retry_backoff", words.get("retry_backoff"), "exponential")
    on = tuple(map(_error_name, sequence("retry_on", words.get("retry_on"), "['ConnectionError']")))
    for word, given in (("retry_backoff", backoff), ("retry_on", on)):
        if given and not times:
            raise DefinitionError(
                f"{word} is given without retries",
                where=caller(),
                effect="it would have no effect",
                remedy=f"write retries=3 too, or leave {word} out",
            )
    return Retry(times, delay, on=on) if backoff is None else Retry(times, delay, backoff, on)


def _error_name(error: object) -> str:
    if isinstance(error, type) and issubclass(error, BaseException):
        return error.__name__
    if isinstance(error, str):
        return error
    raise wrong("an item of retry_on", error, "the class of an error, or its name: retry_on=[ConnectionError]")


def quantity(word: str, value: object, example: str) -> Optional[str]:
    """A quantity of Kubernetes as a string, of a string or a number. Its grammar is checked later."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise wrong(word, value, f"a quantity: {word}={example!r}")
    from flowhub_assets.ir.quantities import written  # only tasks that name amounts pay for its grammar

    return written(value)


def first_of(new: str, old: str, values: Mapping[str, Optional[str]]) -> Optional[str]:
    """The value of a keyword that has two spellings. Raises DefinitionError if both are given and differ."""
    if values[new] is not None and values[old] is not None and values[new] != values[old]:
        raise DefinitionError(
            f"{new}={values[new]!r} and {old}={values[old]!r} mean the same thing and differ",
            where=caller(),
            remedy=f"keep {new}=... alone",
        )
    return values[new] if values[new] is not None else values[old]
