"""What an API server says of a pod or a Job before it takes it; an empty list for one that is as it should be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any

KUBERNETES = "1.30"

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_QUANTITY = re.compile(r"[+-]?(\d+(?:\.\d*)?|\.\d+)((?:[KMGTPE]i|[numkMGTPE])|[eE][+-]?\d+)?")
_POWERS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_LARGEST_ANNOTATIONS = 256 * 1024
_LONGEST_LABEL = 63


def faults(pod: Mapping[str, Any]) -> list[str]:
    """The schema first (unknown fields are faults); then the rules for names, labels, mounts and resources."""
    if fault := schema_fault(pod):
        return [fault]
    return rule_faults(pod)


def job_faults(job: Mapping[str, Any]) -> list[str]:
    """The same of a Job, whose pods are held to a pod's rules."""
    if fault := schema_fault(job):
        return [fault]
    name, spec = job["metadata"].get("name") or "", job["spec"]
    template = spec["template"]
    metadata = {**(template.get("metadata") or {}), "name": name}
    found = _metadata_faults(job["metadata"])
    if len(name) > _LONGEST_LABEL:
        found.append(f'spec.template.labels: Invalid value: "{name}": must be no more than {_LONGEST_LABEL} characters')
        metadata["name"] = "p"
    policy = template["spec"].get("restartPolicy")
    if policy not in ("Never", "OnFailure"):
        found.append('spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"')
    if spec.get("podFailurePolicy") and policy != "Never":
        found.append(f'spec.template.spec.restartPolicy: Invalid value: "{policy}": only "Never" is supported')
    for number, rule in enumerate((spec.get("podFailurePolicy") or {}).get("rules") or []):
        if ("onExitCodes" in rule) == bool(rule.get("onPodConditions")):
            found.append(
                f"spec.podFailurePolicy.rules[{number}]: specifying one of onExitCodes and onPodConditions is required"
            )
    return found + rule_faults({"metadata": metadata, "spec": template["spec"]})


def schema_fault(document: Mapping[str, Any]) -> str:
    """Where a document is not as Kubernetes' own schema says, unknown fields included; empty where it is."""
    validator = _validator(document["kind"], document["apiVersion"])
    error = next(validator.iter_errors(dict(document)), None)
    return "" if error is None else f"{'.'.join(str(part) for part in error.absolute_path)}: {error.message}"


@cache
def _validator(kind: str, version: str) -> Any:
    """The schema of kubernetes-validate, strict; read once, where its own ``validate`` reads it every time."""
    from jsonschema.validators import Draft202012Validator
    from kubernetes_validate.utils import all_versions, schema_contents
    from referencing import Registry, Resource

    newest = [found for found in all_versions() if found.startswith(f"{KUBERNETES}.")][-1]
    folder = f"kubernetes-json-schema/v{newest}-local-strict"
    schema = schema_contents(f"{folder}/{kind.lower()}-{version.replace('/', '-')}.json", KUBERNETES)
    definitions = Resource.from_contents(schema_contents(f"{folder}/_definitions.json", KUBERNETES))
    return Draft202012Validator(schema, registry=definitions @ (Resource.from_contents(schema) @ Registry()))


def rule_faults(pod: Mapping[str, Any]) -> list[str]:
    """What the API server checks beyond the schema."""
    found = _metadata_faults(pod["metadata"])
    spec = pod["spec"]
    volumes = [volume["name"] for volume in spec.get("volumes") or []]
    found += [f'spec.volumes: Invalid value: "{name}"' for name in volumes if not _LABEL.fullmatch(name)]
    found += [f'spec.volumes: Duplicate value: "{name}"' for name, count in Counter(volumes).items() if count > 1]
    containers = [*(spec.get("initContainers") or []), *spec["containers"]]
    names = Counter(container["name"] for container in containers)
    found += [f'spec.containers.name: Duplicate value: "{name}"' for name, count in names.items() if count > 1]
    for container in containers:
        found += _container_faults(container, volumes)
    for key, value in (spec.get("nodeSelector") or {}).items():
        found += _label_faults("spec.nodeSelector", key, value)
    return found


def _metadata_faults(metadata: Mapping[str, Any]) -> list[str]:
    found = []
    name = metadata.get("name") or ""
    if not _SUBDOMAIN.fullmatch(name) or len(name) > 253:
        found.append(f'metadata.name: Invalid value: "{name}": a lowercase RFC 1123 subdomain, 253 characters at most')
    for key, value in (metadata.get("labels") or {}).items():
        found += _label_faults("metadata.labels", key, value)
    annotations = metadata.get("annotations") or {}
    found += [f'metadata.annotations: Invalid value: "{key}"' for key in annotations if not _key_is_legal(key.lower())]
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > _LARGEST_ANNOTATIONS:
        found.append(f"metadata.annotations: Too long: must have at most {_LARGEST_ANNOTATIONS} bytes")
    return found


def _label_faults(where: str, key: str, value: str) -> list[str]:
    found = [] if _key_is_legal(key) else [f'{where}: Invalid value: "{key}"']
    return found if _LABEL_VALUE.fullmatch(value) else [*found, f'{where}: Invalid value: "{value}"']


def _key_is_legal(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    return bool(_QUALIFIED.fullmatch(name)) and (
        not slash or (bool(_SUBDOMAIN.fullmatch(prefix)) and len(prefix) <= 253)
    )


def _container_faults(container: Mapping[str, Any], volumes: list[str]) -> list[str]:
    where = f"spec.containers[{container['name']}]"
    found = [] if _LABEL.fullmatch(container["name"]) else [f'{where}.name: Invalid value: "{container["name"]}"']
    if not container.get("image") or container["image"] != container["image"].strip():
        found.append(f"{where}.image: Required value")
    for variable in container.get("env") or []:
        if not _ENV_NAME.fullmatch(variable["name"]):
            found.append(f'{where}.env: Invalid value: "{variable["name"]}"')
        if variable.get("value") and variable.get("valueFrom"):
            found.append(f"{where}.env[{variable['name']}]: may not be specified when `value` is not empty")
    paths = Counter(mount["mountPath"] for mount in container.get("volumeMounts") or [])
    found += [f'{where}.volumeMounts: must be unique: "{path}"' for path, count in paths.items() if count > 1]
    for mount in container.get("volumeMounts") or []:
        if mount["name"] not in volumes:
            found.append(f'{where}.volumeMounts: Not found: "{mount["name"]}"')
        if ".." in str(mount.get("subPath", "")).split("/"):
            found.append(f"{where}.volumeMounts.subPath: must not contain '..'")
    return found + _resource_faults(where, container.get("resources") or {})


def _resource_faults(where: str, resources: Mapping[str, Any]) -> list[str]:
    found, amounts = [], {}
    for part in ("requests", "limits"):
        for name, text in (resources.get(part) or {}).items():
            amount = quantity(text)
            if amount is None or amount < 0:
                found.append(f'{where}.resources.{part}[{name}]: Invalid value: "{text}"')
            else:
                amounts[part, name] = amount
    limits = {name: amount for (part, name), amount in amounts.items() if part == "limits"}
    for (part, name), amount in amounts.items():
        if part == "requests" and amount > limits.get(name, amount):
            found.append(f"{where}.resources.requests[{name}]: must be less than or equal to {name} limit")
        if "/" in name and part == "requests" and limits.get(name) != amount:
            found.append(f"{where}.resources.limits[{name}]: an extended resource has a limit equal to its request")
    return found


def quantity(text: object) -> float | None:
    """A Kubernetes quantity as a number, None if it is none."""
    match = _QUANTITY.fullmatch(str(text))
    if not match:
        return None
    number, suffix = float(match[1]), match[2] or ""
    if suffix.endswith("i"):
        return number * 1024.0 ** ("KMGTPE".index(suffix[0]) + 1)
    return number * _POWERS[suffix] if suffix in _POWERS else float(str(text))
