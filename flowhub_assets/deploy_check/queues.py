"""The queue's settings: limits that are the same everywhere, slots that come back, runs that are looked after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowhub_assets.deploy_check.folder import LOCAL_SETTINGS, Folder
from flowhub_assets.deploy_check.layers import Layers, Place, at
from flowhub_assets.from_yaml.positions import Path
from flowhub_assets.from_yaml.problem import FileProblem

_FOR_EVER = "a step that died keeps its slot for ever, and others wait for it"


@dataclass(frozen=True)
class QueueSettings:
    """One place with settings of the queue; ``data`` is in the words of dagster.yaml, ``words`` leads to the file's."""

    data: Mapping[str, Any]
    place: Callable[[Path], Place]
    words: Mapping[str, Path]
    can_resume: bool


_PLAIN: dict[str, Path] = {
    "limits": ("concurrency", "runs", "tag_concurrency_limits"),
    "granularity": ("concurrency", "pools", "granularity"),
    "monitoring": ("run_monitoring", "enabled"),
    "slots": ("run_monitoring", "free_slots_after_run_end_seconds"),
    "resume": ("run_monitoring", "max_resume_run_attempts"),
}
_VALUES: dict[str, Path] = {
    "limits": ("concurrency", "runs", "tagConcurrencyLimits"),
    "granularity": ("concurrency", "pools", "granularity"),
    "monitoring": ("dagsterDaemon", "runMonitoring", "enabled"),
    "slots": ("dagsterDaemon", "runMonitoring", "freeSlotsAfterRunEndSeconds"),
    "resume": ("dagsterDaemon", "runMonitoring", "maxResumeRunAttempts"),
}


def queue_settings(folder: Folder, layers: Iterable[Layers]) -> list[QueueSettings]:
    """Those of each dagster*.yaml and of the values."""
    plain = [
        QueueSettings(
            document.data,
            lambda path, document=document: (document.file, *document.place(path)),  # type: ignore[misc]
            _PLAIN,
            at(document.data, "run_launcher", "class") == "K8sRunLauncher",
        )
        for document in folder.settings
    ]
    return [*plain, *(QueueSettings(values.data, values.place, _VALUES, True) for values in layers)]


def queue_problems(settings: Iterable[QueueSettings], folder: Folder) -> Iterator[FileProblem]:
    """What each of ``settings`` has otherwise than the deployment's dagster.yaml, or must not leave out."""
    local = [one.data for one in folder.settings if one.file == str(folder.path / LOCAL_SETTINGS)]
    limits = at(local, 0, *_PLAIN["limits"])
    for one in settings:
        for word, is_right, what, effect, remedy in _rules(limits, one.can_resume):
            path = one.words[word]
            value = at(one.data, *path)
            if not is_right(value):
                yield FileProblem(*one.place(path), f"{'.'.join(map(str, path))} {what(value)}", effect, remedy)


_Rule = tuple[str, Callable[[Any], bool], Callable[[Any], str], str, str]


def _rules(limits: Any, can_resume: bool) -> Iterator[_Rule]:
    yield (
        "limits",
        lambda value: value == limits and bool(value),
        lambda _value: f"are not those of {LOCAL_SETTINGS}",
        "pipelines with concurrency: N run otherwise here than on a laptop",
        f"copy them from {LOCAL_SETTINGS}",
    )
    yield (
        "granularity",
        lambda value: value == "op",
        lambda value: f"is {value!r}, not 'op'",
        "a pool would limit runs instead of steps",
        "write op",
    )
    yield (
        "monitoring",
        lambda value: value is True,
        lambda value: f"is {value!r}, not true",
        "a run whose worker died would be running for ever",
        "write true",
    )
    yield (
        "slots",
        lambda value: isinstance(value, int) and value > 0,
        lambda value: f"is {value!r}",
        _FOR_EVER,
        "write a number of seconds, 30 say",
    )
    if can_resume:
        yield (
            "resume",
            lambda value: isinstance(value, int) and value > 0,
            lambda value: f"is {value!r}",
            "a run whose worker's node goes away fails, though its steps run on",
            "write how often it is resumed, 3 say",
        )
