"""The words of @task and @flow about pods and volumes, as the IR's placement."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from flowhub_assets.errors import DefinitionError
from flowhub_assets.from_python import options
from flowhub_assets.from_python.where import caller
from flowhub_assets.ir.placement import Placement, Toleration, Volume, VolumeMount
from flowhub_assets.ir.spelling import did_you_mean, listed

_Part = TypeVar("_Part", Toleration, VolumeMount, Volume)

_EXAMPLES = {
    Toleration: "[Toleration(key='nvidia.com/gpu', operator='Exists', effect='NoSchedule')]",
    VolumeMount: "[VolumeMount(name='cache', mount_path='/var/cache/models')]",
    Volume: "[Volume(name='cache', persistent_volume_claim='my-pvc')]",
}
_QUANTITIES = {
    "cpu": "2",
    "memory": "4Gi",
    "gpu": "1",
    "ephemeral_storage": "10Gi",
    "limit_ephemeral_storage": "20Gi",
    "request_cpu": "2",
    "request_memory": "4Gi",
    "limit_cpu": "4",
    "limit_memory": "8Gi",
    "limit_gpu": "1",
}


def placement(words: Mapping[str, Any]) -> Placement:
    """The placement that the keywords of @task ask for. Raises DefinitionError for a wrong type."""
    amounts = {word: options.quantity(word, words.get(word), example) for word, example in _QUANTITIES.items()}
    return Placement(
        image=options.text("image", words.get("image"), "python:3.11-slim"),
        cpu=options.first_of("cpu", "request_cpu", amounts),
        memory=options.first_of("memory", "request_memory", amounts),
        gpu=options.first_of("gpu", "limit_gpu", amounts),
        limit_cpu=amounts["limit_cpu"],
        limit_memory=amounts["limit_memory"],
        tolerations=parts("tolerations", words.get("tolerations"), Toleration),
        node_selector=options.mapping("node_selector", words.get("node_selector"), "{'kubernetes.io/arch': 'amd64'}"),
        volume_mounts=parts("volume_mounts", words.get("volume_mounts"), VolumeMount),
        ephemeral_storage=amounts["ephemeral_storage"],
        limit_ephemeral_storage=amounts["limit_ephemeral_storage"],
        gpu_resource=options.text("gpu_resource", words.get("gpu_resource"), "nvidia.com/gpu"),
        affinity=options.mapping("affinity", words.get("affinity"), "{'nodeAffinity': {...}}"),
        labels=options.mapping("labels", words.get("labels"), "{'team': 'data'}"),
        annotations=options.mapping("annotations", words.get("annotations"), "{'key': 'value'}"),
        service_account_name=options.text("service_account_name", words.get("service_account_name"), "my-sa"),
        image_pull_secrets=options.texts("image_pull_secrets", words.get("image_pull_secrets"), "my-registry"),
        priority_class_name=options.text("priority_class_name", words.get("priority_class_name"), "batch-low"),
        active_deadline=options.whole_seconds("active_deadline", words.get("active_deadline")),
    )


def parts(word: str, value: object, kind: type[_Part]) -> tuple[_Part, ...]:
    """A list of tolerations, mounts or volumes, each of its class or a dict with our keys or Kubernetes' own."""
    if isinstance(value, (kind, Mapping)):
        raise options.wrong(word, value, f"a list: {word}={_EXAMPLES[kind]}")
    return tuple(_part(word, item, kind) for item in options.sequence(word, value, _EXAMPLES[kind]))


def _part(word: str, item: object, kind: type[_Part]) -> _Part:
    if isinstance(item, kind):
        made = item
    elif isinstance(item, Mapping):
        made = _from_dict(word, item, kind)
    else:
        raise options.wrong(f"an item of {word}", item, f"a {kind.__name__}: {word}={_EXAMPLES[kind]}")
    for field in kind.__dataclass_fields__:
        _require_type(f"{field} in {word}", field, getattr(made, field))
    return made


def _require_type(word: str, field: str, value: object) -> None:
    if field == "empty_dir" or (value is None and field not in ("name", "mount_path")):
        return
    if field == "read_only":
        if not isinstance(value, bool):
            raise options.wrong(word, value, "True or False")
    elif field == "toleration_seconds":
        options.whole_number(word, value, 300)
    elif not isinstance(value, str):
        raise options.wrong(word, value, "a string")


def _from_dict(word: str, item: Mapping[Any, Any], kind: type[_Part]) -> _Part:
    known = kind.__dataclass_fields__
    values: dict[str, Any] = {}
    for key, value in item.items():
        field = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(key)).lower()
        if kind is Volume:
            value = _volume_source(field, value)
        if field not in known:
            raise DefinitionError(
                f"an item of {word} has the key {key!r}",
                where=caller(),
                remedy=did_you_mean(field, known) or f"a {kind.__name__} has {listed(known)}",
            )
        values[field] = value
    missing = [name for name in ("name", "mount_path") if name in known and name not in values]
    if missing:
        raise DefinitionError(
            f"an item of {word} has no {missing[0]!r}", where=caller(), remedy=f"write {_EXAMPLES[kind]}"
        )
    return kind(**values)


#: Where Kubernetes' own form of a volume keeps the name of its source.
_SOURCE_KEYS = {
    "persistent_volume_claim": "claimName",
    "config_map": "name",
    "secret": "secretName",
    "host_path": "path",
    "empty_dir": "sizeLimit",
}


def _volume_source(field: str, value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    key = _SOURCE_KEYS.get(field)
    for other in value:
        if key is not None and other != key:
            raise DefinitionError(
                f"{field} in volumes has the key {other!r}",
                where=caller(),
                effect="only its name can be given here",
                remedy=f"write Volume(name='...', {field}=...)",
            )
    if field == "empty_dir":
        return value.get("sizeLimit", True)
    return value.get(key, value)
