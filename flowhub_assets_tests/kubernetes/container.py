"""What the kubelet prepares for a container: its environment, its folders, its command."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowhub_assets_tests.kubernetes.objects import Objects


class ConfigError(Exception):
    """A container cannot be made as its pod says: the kubelet's text."""


class MountError(Exception):
    """A volume cannot be mounted: the kubelet's text."""


def expand(text: str, known: Mapping[str, str]) -> str:
    """``$(NAME)`` by its value where ``known`` has it, ``$$`` by ``$``; all else stays.

    As clusters up to 1.3x do it, byte by byte: a ``$`` before a letter outside ASCII spoils that letter.
    """
    raw, made, at = text.encode(), bytearray(), 0
    while at < len(raw):
        following = raw[at + 1 : at + 2]
        if raw[at : at + 1] != b"$" or not following:
            made += raw[at : at + 1]
            at += 1
            continue
        closed = raw.find(b")", at + 2) if following == b"(" else -1
        if closed >= 0:
            name = raw[at + 2 : closed].decode(errors="replace")
            made += known[name].encode() if name in known else raw[at : closed + 1]
            at = closed + 1
        else:
            made += b"$" if following == b"$" else b"$" + chr(following[0]).encode()
            at += 2
    return made.decode(errors="replace")


@dataclass(frozen=True)
class Place:
    """Where a container is: its pod's manifest, the folder that is its /, and its mounts, longest path first."""

    pod: Mapping[str, Any]
    root: Path
    mounts: Sequence[tuple[str, Path]]

    def real(self, text: str) -> str:
        """A path under a mount becomes the real one; every other text stays as it is."""
        for path, folder in self.mounts:
            if text == path or text.startswith(path.rstrip("/") + "/"):
                return str(folder) + text[len(path.rstrip("/")) :]
        return text

    def real_within(self, text: str) -> str:
        """Mounted paths anywhere in a line of shell, as the operator sends them to its sidecar."""
        for path, folder in self.mounts:
            pieces = re.split(rf"(?<![\w./-]){re.escape(path)}(?![\w.-])", text)
            text = str(folder).join(pieces)
        return text

    def working_folder(self, container: Mapping[str, Any]) -> Path:
        wanted = container.get("workingDir") or "/"
        real = self.real(wanted)
        folder = Path(real) if real != wanted else self.root / wanted.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def environment(container: Mapping[str, Any], place: Place, objects: Objects) -> dict[str, str]:
    """The variables that the pod names, and no others; raises ConfigError where a Secret or ConfigMap is missing."""
    namespace = place.pod["metadata"]["namespace"]
    found: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        for kind, word in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
            if word in source:
                data = _data(objects, kind, namespace, source[word])
                found |= {source.get("prefix", "") + key: value.decode() for key, value in data.items()}
    for variable in container.get("env") or []:
        if "valueFrom" in variable:
            value = _value_from(variable["valueFrom"], container, place, objects)
            if value is not None:
                found[variable["name"]] = value
        else:
            found[variable["name"]] = expand(variable.get("value") or "", found)
    return {name: place.real(value) for name, value in found.items()}


def command(container: Mapping[str, Any], place: Place, variables: Mapping[str, str]) -> list[str]:
    """Command and args, expanded; mounted paths as they really are."""
    words = [*(container.get("command") or []), *(container.get("args") or [])]
    return [place.real(expand(word, variables)) for word in words]


def _value_from(source: Mapping[str, Any], container: Mapping[str, Any], place: Place, objects: Objects) -> str | None:
    namespace = place.pod["metadata"]["namespace"]
    for kind, word in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
        if word in source:
            reference = source[word]
            data = _data(objects, kind, namespace, reference)
            if reference["key"] in data:
                return data[reference["key"]].decode()
            if reference.get("optional"):
                return None
            raise ConfigError(f"couldn't find key {reference['key']} in {kind} {namespace}/{reference['name']}")
    if "fieldRef" in source:
        return _field(source["fieldRef"]["fieldPath"], place.pod)
    part, _, name = source["resourceFieldRef"]["resource"].partition(".")
    return str((container.get("resources") or {}).get(part, {}).get(name, "0"))


def _data(objects: Objects, kind: str, namespace: str, reference: Mapping[str, Any]) -> dict[str, bytes]:
    data = objects.get(kind, namespace, reference["name"])
    if data is None and not reference.get("optional"):
        raise ConfigError(f'{kind.lower()} "{reference["name"]}" not found')
    return data or {}


def _field(path: str, pod: Mapping[str, Any]) -> str:
    if match := re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path):
        return str((pod["metadata"].get(match[1]) or {}).get(match[2], ""))
    fixed = {"status.podIP": "127.0.0.1", "status.hostIP": "127.0.0.1", "spec.nodeName": "node"}
    if path in fixed:
        return fixed[path]
    value: Any = {**pod, "spec": {"serviceAccountName": "default", **pod["spec"]}}
    for part in path.split("."):
        value = value.get(part, "")
    return str(value)


def volumes(pod: Mapping[str, Any], folder: Path, claims: Path, objects: Objects) -> dict[str, Path]:
    """Makes the folder of each volume; raises MountError where what it is made of is missing."""
    made = {}
    for volume in pod["spec"].get("volumes") or []:
        name, namespace = volume["name"], pod["metadata"]["namespace"]
        target = folder / name
        if "persistentVolumeClaim" in volume:
            target = claims / namespace / volume["persistentVolumeClaim"]["claimName"]
        target.mkdir(parents=True, exist_ok=True)
        sources = volume.get("projected", {}).get("sources") or [
            {word: volume[word]} for word in ("configMap", "secret", "downwardAPI") if word in volume
        ]
        files: dict[str, bytes] = {}
        for source in sources:
            files |= _files(name, namespace, source, pod, objects)
        if sources:
            said: Mapping[str, Any] = next((value for key, value in volume.items() if key != "name"), {})
            _write(target, files, int(said.get("defaultMode", 0o644)))
        made[name] = target
    return made


def _files(
    volume: str, namespace: str, source: Mapping[str, Any], pod: Mapping[str, Any], objects: Objects
) -> dict[str, bytes]:
    ((word, said),) = source.items()
    if word == "downwardAPI":
        return {item["path"]: _field(item["fieldRef"]["fieldPath"], pod).encode() for item in said.get("items", [])}
    if word == "serviceAccountToken":
        return {said["path"]: b"token"}
    kind = {"configMap": "ConfigMap", "secret": "Secret"}[word]
    wanted = said.get("name") or said.get("secretName")
    data = objects.get(kind, namespace, wanted)
    failed = f'MountVolume.SetUp failed for volume "{volume}" : '
    if data is None:
        if said.get("optional"):
            return {}
        raise MountError(f'{failed}{kind.lower()} "{wanted}" not found')
    if "items" not in said:
        return dict(data)
    missing = [item["key"] for item in said["items"] if item["key"] not in data]
    if missing and not said.get("optional"):
        raise MountError(f"{failed}references non-existent config key: {missing[0]}")
    return {item["path"]: data[item["key"]] for item in said["items"] if item["key"] in data}


def _write(target: Path, files: Mapping[str, bytes], mode: int) -> None:
    """As the kubelet does: files lie in a dated folder, ``..data`` leads to it, each name leads through ``..data``."""
    dated = target / "..2025_01_01_00_00_00.0000000000"
    for name, content in files.items():
        path = dated / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
    dated.mkdir(exist_ok=True)
    (target / "..data").symlink_to(dated.name)
    for name in {name.split("/")[0] for name in files}:
        (target / name).symlink_to(Path("..data") / name)


def mounts(
    container: Mapping[str, Any], folders: Mapping[str, Path], expanded: Callable[[str], str]
) -> list[tuple[str, Path]]:
    """``(path in the container, real path)``, the longest path first."""
    found = []
    for mount in container.get("volumeMounts") or []:
        below = mount.get("subPath") or expanded(mount.get("subPathExpr") or "")
        real = folders[mount["name"]] / below if below else folders[mount["name"]]
        if below and not os.path.lexists(real):
            real.mkdir(parents=True)
        found.append((mount["mountPath"], real))
    return sorted(found, key=lambda pair: len(pair[0]), reverse=True)
