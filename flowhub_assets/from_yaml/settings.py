"""What a file says about the pipeline as a whole: metadata, params, profiles, concurrency and the like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowhub_assets.from_yaml import placing, triggers
from flowhub_assets.from_yaml.profile_values import profile_values
from flowhub_assets.from_yaml.section import Section
from flowhub_assets.nodes.validation import type_text
from flowhub_assets.runtime.secret_values import is_secret_name

#: Stands in for a name that is missing, so that all else can be checked.
UNNAMED = "unnamed"

METADATA_KEYS = ("name", "description", "namespace", "owners", "tags", "labels", "annotations")
PIPELINE_KEYS = (
    "apiVersion",
    "kind",
    "metadata",
    "trigger",
    "triggers",
    "params",
    "profiles",
    "variables",
    "concurrency",
    "priority",
    "queue",
    "fuse",
    "nodes",
    "edges",
    "result",
    "onFailure",
    "finally",
    "volumes",
    "serviceAccountName",
    "imagePullSecrets",
    "airflowSidecarImage",
    "repo",
    "path",
    "schedule",
    "partitions",
    "deadline",
    "freshness",
    "dedupe",
    "automation",
    "deps",
    "imports",
    "function",
)

#: Keys that other systems have, or that stand one level too high → what to do.
_HINTS = {
    **{key: f"move it under metadata: {key}" for key in METADATA_KEYS},
    "on_failure": "write onFailure",
    "env": "write profiles: {default: {...}}",
    "steps": "write nodes",
    "tasks": "write nodes",
    "inputs": "write params",
    "spec": "write what stands under it one level higher",
}


def settings(pipeline: Section) -> dict[str, Any]:
    """All fields of ir.Pipeline but its graph and its source, by name."""
    pipeline.allow(PIPELINE_KEYS, _HINTS)
    defaults, schemas = _params(pipeline)
    return {
        **_metadata(pipeline),
        "profiles": _profiles(pipeline),
        "params": defaults,
        "param_schemas": schemas,
        "variables": pipeline.mapping("variables", "{model: llama3.1-70b}"),
        "triggers": triggers.triggers(pipeline),
        "schedule": triggers.schedule(pipeline),
        "partitions": triggers.partitions(pipeline),
        "deadline": pipeline.seconds("deadline", "30m"),
        "freshness": pipeline.seconds("freshness", "24h"),
        "dedupe": triggers.dedupe(pipeline),
        "automation": pipeline.text("automation", "eager"),
        "deps": pipeline.texts("deps", "wines/table"),
        "imports": pipeline.texts("imports", "sklearn.ensemble"),
        "concurrency": pipeline.whole("concurrency", 1),
        "priority": pipeline.whole("priority") or 0,
        "queue": pipeline.text("queue", "nightly"),
        "fuse": pipeline.flag("fuse"),
        "volumes": placing.volumes(pipeline),
        "service_account_name": pipeline.text("serviceAccountName", "pipelines"),
        "image_pull_secrets": pipeline.texts("imagePullSecrets", "my-registry"),
        "airflow_sidecar_image": pipeline.text("airflowSidecarImage", "image:tag"),
        "repo": pipeline.text("repo", "https://example.com/team/pipelines.git"),
        "path": pipeline.text("path", "pipelines/articles"),
        "function": pipeline.text("function", "my_flow") or "",
    }


def _metadata(pipeline: Section) -> dict[str, Any]:
    metadata = pipeline.section("metadata", "{name: my-pipeline}", "metadata")
    if metadata is None:
        if "metadata" not in pipeline:
            pipeline.tell(None, "the pipeline has no metadata", "it has no name", "write metadata: {name: my-pipeline}")
        return {"name": UNNAMED}
    metadata.allow(METADATA_KEYS)
    name = metadata.text("name", "my-pipeline")
    if name is None and "name" not in metadata:
        metadata.tell(None, "metadata has no name", "nothing could refer to the pipeline", "write name: my-pipeline")
    return {
        "name": UNNAMED if name is None else name,
        "description": metadata.text("description", "Writes articles.") or "",
        "namespace": metadata.text("namespace", "pipelines"),
        "owners": metadata.texts("owners", "team:data"),
        "tags": metadata.texts("tags", "nightly"),
        "labels": placing.labels(metadata, "labels"),
        "annotations": placing.labels(metadata, "annotations"),
    }


def _profiles(pipeline: Section) -> dict[str, Any]:
    profiles = pipeline.section("profiles", "{default: {WORKSPACE: ./tmp}}", "profiles")
    if profiles is None:
        return {}
    found: dict[str, Any] = {}
    for name, written in profiles.data.items():
        if name.isupper() and isinstance(written, str):
            remedy = f"put it into a profile: profiles: {{default: {{{name}: ...}}}}"
            profiles.tell(name, f"{name!r} stands among the profiles", "no task would see it", remedy, at_key=True)
        else:
            found[name] = profile_values(profiles, name)
    return found


def _params(pipeline: Section) -> tuple[dict[str, Any], dict[str, Mapping[str, Any]]]:
    """The defaults, and the JSON Schemas without them. A param may also be written {schema: ..., default: ...}."""
    params = pipeline.section("params", "{city: {type: string, default: Seoul}}", "params")
    defaults: dict[str, Any] = {}
    schemas: dict[str, Mapping[str, Any]] = {}
    for name, written in params.data.items() if params is not None else ():
        assert params is not None
        if not isinstance(written, dict):
            short = isinstance(written, (str, int, float)) and len(str(written)) < 40 and not is_secret_name(name)
            shown = written if short else "..."
            remedy = f"write {name}: {{type: string, default: {shown}}}, a JSON Schema with its default"
            params.tell(name, f"param {name!r} is {type_text(written)}, not an object", "it has no type", remedy)
            continue
        copied = dict(written)
        has_default = "default" in copied
        default = copied.pop("default", None)
        if "schema" in copied and len(copied) == 1:
            copied = copied["schema"]
            if not isinstance(copied, dict):
                params.tell(name, f"the schema of param {name!r} is {type_text(copied)}", "", "write an object")
                continue
            schemas[name] = copied
        elif copied or not has_default:
            schemas[name] = copied
        if has_default:
            defaults[name] = default
    return defaults, schemas
