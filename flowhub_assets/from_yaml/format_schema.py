"""The JSON Schema of the format but for the kinds of node: what stands where, and what it means."""

from __future__ import annotations

from typing import Any

from flowhub_assets.from_yaml import entries, placing, triggers
from flowhub_assets.from_yaml.affinity_schema import affinity_schema
from flowhub_assets.ir.partition_checks import MOST_DIMENSIONS
from flowhub_assets.ir.task_checks import LEVELS
from flowhub_assets.ir.trigger_checks import ENDS, SPANS

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_OBJECT: Schema = {"type": "object"}
_LABELS: Schema = {**_OBJECT, "additionalProperties": _TEXT}
_FLAG: Schema = {"type": "boolean"}
_WHOLE: Schema = {"type": "integer"}
_QUANTITY: Schema = {"type": ["string", "number"]}
_WORD: Schema = {"type": ["string", "boolean", "integer"]}
_CONDITION: Schema = {"type": ["string", "boolean"]}

_KEYS: Schema = {
    **_OBJECT,
    "description": "The keys of one or two dimensions: {data_set: [iris, titanic], model: [small, large]}.",
    "additionalProperties": {**_TEXTS, "minItems": 1, "uniqueItems": True},
    "minProperties": 1,
    "maxProperties": MOST_DIMENSIONS,
}

_AUTOMATION = "When Dagster makes the assets by itself: eager, on_missing, or a cron expression in UTC."


def pipeline_schema() -> Schema:
    """The outermost object."""
    return _object(
        {
            "apiVersion": ({"const": "flume/v1"}, "The version of this format."),
            "kind": ({"const": "Pipeline"}, "What the document is."),
            "metadata": (_ref("metadata"), "What the pipeline is called, and who looks after it."),
            "trigger": (_ref("trigger"), "When the pipeline starts."),
            "triggers": (_list(_ref("trigger")), "When the pipeline starts, where more than one thing starts it."),
            "schedule": (_ref("schedule"), "A schedule beside the triggers, as @flow(schedule=...) has it."),
            "partitions": (_ref("partitions"), "The spans of time, or the keys, of which each run is about one."),
            "deadline": (_ref("duration"), "How long a run may take; one that takes longer is told."),
            "freshness": (_ref("duration"), "How old the last success may be; an older one is told."),
            "dedupe": (_ref("dedupe"), "What starts by itself starts once for each key, for some time."),
            "automation": (_TEXT, _AUTOMATION),
            "deps": (_TEXTS, "Assets of others that its first ones come after: wines/table."),
            "imports": (_TEXTS, "Modules that the process of a run imports once, before those of its tasks begin."),
            "params": ({**_OBJECT, "additionalProperties": _ref("param")}, "What a run is given, by name."),
            "profiles": (
                {**_OBJECT, "additionalProperties": _OBJECT},
                "Env profiles by name: where values are kept (WORKSPACE or BUCKET), URLs of connections.",
            ),
            "variables": (_OBJECT, "Constants for templates: {{variables.model}}."),
            "concurrency": ({**_WHOLE, "minimum": 1}, "The most runs at a time."),
            "priority": (_WHOLE, "Of waiting runs the one with the highest starts first."),
            "queue": (_TEXT, "The queue that its runs wait in."),
            "fuse": (_FLAG, "Whether neighbouring light nodes become one step."),
            "nodes": ({**_list(_ref("node")), "minItems": 1}, "What the pipeline does."),
            "edges": (_list(_ref("edge")), "Which node comes after which, beside what templates say."),
            "result": (_TEXTS, "The nodes whose outputs are the pipeline's own; else those that nobody takes."),
            "onFailure": (_ref("node"), "Runs once when a run has failed; it sees {{failure.error}}."),
            "finally": (_list(_ref("node")), "Run at the end of each run, failed or not; not if it is cancelled."),
            "volumes": (_list(_ref("volume")), "Volumes that nodes may mount."),
            "serviceAccountName": (_TEXT, "The Kubernetes service account of its pods."),
            "imagePullSecrets": (_TEXTS, "The Kubernetes secrets with which its pods pull their images."),
            "airflowSidecarImage": (_TEXT, "The image of the sidecar in an Airflow export."),
            "repo": (_TEXT, "The git repository that its code can be cloned from."),
            "path": (_TEXT, "The folder in that repository."),
            "function": (_TEXT, "The @flow function that the pipeline was written as."),
        },
        required=("apiVersion", "kind", "metadata", "nodes"),
    )


def definitions() -> dict[str, Schema]:
    """The parts that the schema refers to, but for ``node``."""
    return {
        "metadata": _object(
            {
                "name": ({**_TEXT, "minLength": 1}, "The pipeline's name: letters, digits, '_', '-' and '.'."),
                "description": (_TEXT, "What it does, as Markdown."),
                "namespace": (_TEXT, "The Kubernetes namespace of its pods."),
                "owners": (_TEXTS, "E-mail addresses, or team:name."),
                "tags": (_TEXTS, "Words to find it by."),
                "labels": (_LABELS, "Kubernetes labels of its pods."),
                "annotations": (_LABELS, "Kubernetes annotations of its pods."),
            },
            required=("name",),
        ),
        "duration": {
            "anyOf": [{"type": "number", "minimum": 0}, {**_TEXT, "pattern": "^(P|[0-9])"}],
            "description": "Seconds, or a text with units: 30s, 10m, 1h30m, PT1H.",
        },
        "trigger": _trigger(),
        "schedule": _object(
            {
                "cron": (_TEXT, "Five fields, or a preset such as @daily."),
                "every": (_ref("duration"), "How long lies between two runs."),
                "timezone": (_TEXT, "An IANA name: Asia/Seoul."),
            }
        ),
        **_timing(),
        "param": {
            **_OBJECT,
            "description": "A JSON Schema. With a default, a run may leave the param out.",
            "properties": {
                "type": {"enum": ["string", "integer", "number", "boolean", "object", "array", "null"]},
                "default": {},
                "description": _TEXT,
                "enum": {"type": "array"},
            },
        },
        "edge": _object(
            {
                "from": (_WORD, "The id of the node that comes first."),
                "to": (_WORD, "The id of the node that comes after it."),
                "when": (_WORD, 'The port of the first that this edge is for: "true", or a case of a switch.'),
            },
            required=("from", "to"),
        ),
        **_placement(),
    }


def node_properties(kinds: list[str]) -> dict[str, Schema]:
    """What every node has, whatever its type."""
    properties = _object(
        {
            "id": ({**_WORD, "minLength": 1}, "The node's name, with which templates and edges refer to it."),
            "type": ({"enum": kinds}, "The kind of node; `flowhub nodes` describes them."),
            "runOn": ({"enum": list(entries.RUN_ON)}, "engine: in the run worker; cpu or gpu: in a pod."),
            "description": (_TEXT, "What the node does, as Markdown."),
            "config": (_OBJECT, "What the kind is told."),
            "inputs": (_OBJECT, "The data that the kind takes."),
            "when": (_CONDITION, "A condition; where it does not hold, the node is skipped."),
            "retry": ({"anyOf": [_ref("retry"), {**_WHOLE, "minimum": 0}]}, "How often a failure is tried again."),
            "timeout": (_ref("duration"), "How long the node may take."),
            "continueOnError": (_FLAG, "Whether the run goes on after a failure; others see {{id.error}}."),
            "pool": (_TEXT, "The pool whose slots it takes."),
            "priority": (_WHOLE, "Of waiting nodes the one with the highest starts first."),
            "placement": (_ref("placement"), "What it asks of the cluster."),
            "asset": ({"anyOf": [_TEXT, _ref("asset")]}, "The asset that its output is: reports/daily."),
            "env": (_OBJECT, "Values laid over the profile."),
            "nodes": ({**_list(_ref("node")), "minItems": 1}, "In a loop: what is done for each item."),
            "edges": (_list(_ref("edge")), "In a loop: which of its nodes comes after which."),
            "loop": (_ref("loop"), "What a loop's config cannot say."),
            "task": (_ref("task"), "In place of type: a function of a Python file."),
            "needs": (_TEXTS, "Whose outputs it takes, where its templates do not say it."),
            "merge": (_FLAG, "Whether a function takes one dict, the outputs merged."),
            "ports": (_TEXTS, "The ports that it decides between, where its kind does not say it."),
            "checks": (
                {**_OBJECT, "additionalProperties": {"enum": list(LEVELS)}},
                "The checks that a function tells with check(), each with what comes of one that does not hold.",
            ),
            "kinds": (_TEXTS, "The words, with their icons, that Dagster's UI shows on its asset: xgboost, s3."),
            "deps": (_TEXTS, "Assets of others that the asset of a function comes after: wines/table."),
        }
    )["properties"]
    assert isinstance(properties, dict)
    return properties


def node_parts() -> dict[str, Schema]:
    """The parts of a node that are objects of their own."""
    return {
        "retry": _object(
            {
                "times": ({**_WHOLE, "minimum": 0}, "How often it is tried again."),
                "delay": (_ref("duration"), "How long to wait before the next try."),
                "backoff": ({"enum": list(entries.BACKOFFS)}, "How the delay grows from try to try."),
                "on": (_TEXTS, "The classes of errors that are worth another try; none named: all."),
            },
            required=("times",),
        ),
        "asset": _object(
            {
                "key": ({"anyOf": [_TEXT, _TEXTS]}, "The asset's key: reports/daily."),
                "check": (_CONDITION, "A condition on the output that an asset check tests."),
                "automation": (_TEXT, _AUTOMATION),
                "deps": (_TEXTS, "Assets of others that it comes after: wines/table."),
            },
            required=("key",),
        ),
        "loop": _object(
            {
                "over": (_TEXT, "The list: a template, or a key of the args."),
                "result": (_WORD, "The node whose outputs are collected."),
                "into": (_TEXT, "The key of the list of results."),
                "maxConcurrency": ({**_WHOLE, "minimum": 0}, "The most items at a time; 0 for no limit."),
                "maxIterations": ({**_WHOLE, "minimum": 1}, "The most items that a list may have."),
            }
        ),
        "task": _object(
            {
                "function": (_TEXT, "The function's name."),
                "file": (
                    _TEXT,
                    "Its file, as seen from this one's folder. It is imported when the node runs, in a process of its "
                    "own, never when this file is read or checked.",
                ),
            }
        ),
    }


def _timing() -> dict[str, Schema]:
    return {
        "partitions": {
            "anyOf": [
                _object(
                    {
                        "every": ({"enum": list(SPANS)}, "How long each is; weeks begin on Sunday."),
                        "start": (_TEXT, "The first day: 2026-01-01."),
                        "timezone": (_TEXT, "An IANA name: Asia/Seoul."),
                    },
                    required=("every", "start"),
                ),
                _KEYS,
            ]
        },
        "dedupe": _object(
            {
                "key": (_TEXT, "A text, or a template: {{$today}}, {{$partition.key}}, {{params.city}}."),
                "lifetime": (_ref("duration"), "How long a key is held."),
            },
            required=("key", "lifetime"),
        ),
    }


def _trigger() -> Schema:
    known = _object(
        {
            "type": ({"enum": list(triggers.TYPES)}, "What starts the pipeline."),
            "schedule": (_TEXT, "For cron: five fields, or a preset such as @daily."),
            "every": (_ref("duration"), "For interval: the time between two runs; for object-arrival: between looks."),
            "timezone": (_TEXT, "An IANA name: Asia/Seoul."),
            "assets": (_list(_TEXT), "For asset: the keys of those that must have been made anew, wines/table."),
            "pipeline": (_TEXT, "For run: the pipeline whose runs start this one."),
            "status": ({"enum": list(ENDS)}, "For run: how such a run has ended; success if nothing is said."),
            "model": (_TEXT, "For model-alias: a registered model of MLflow."),
            "alias": (_TEXT, "For model-alias: the alias whose moves start a run: champion."),
            "config": (_OBJECT, "What a webhook or object-arrival is told."),
        },
        required=("type",),
    )
    timed = {"cron": ["schedule"], "interval": ["every"]}  # those of asset may stand under config:
    rules: list[Schema] = [
        {"if": {"properties": {"type": {"const": kind}}}, "then": {"required": keys}} for kind, keys in timed.items()
    ]
    return {**known, "additionalProperties": True, "allOf": rules}


def _placement() -> dict[str, Schema]:
    described: dict[str, tuple[Schema, str]] = {
        "image": (_TEXT, "The image to run in; it needs Python and nothing else."),
        "cpu": (_QUANTITY, "Cores that it asks for: 2, 500m."),
        "memory": (_QUANTITY, "Memory that it asks for: 4Gi."),
        "gpu": ({"type": ["string", "integer", "null"]}, "GPUs that it asks for: 1, a preset of the profile, a100:2."),
        "limitCpu": (_QUANTITY, "The most cores that it may use."),
        "limitMemory": (_QUANTITY, "The most memory that it may use."),
        "tolerations": (_list(_ref("toleration")), "Taints of machines that it tolerates."),
        "nodeSelector": (_LABELS, "Labels that the machine must have."),
        "volumeMounts": (_list(_ref("volumeMount")), "Volumes of the pipeline that it mounts."),
        "ephemeralStorage": (_QUANTITY, "The node's disk that it asks for: 10Gi."),
        "limitEphemeralStorage": (_QUANTITY, "The most of the node's disk that it may use."),
        "gpuResource": (_TEXT, "What a GPU is called there: nvidia.com/gpu, unless this says otherwise."),
        "affinity": (_ref("affinity"), "Kubernetes' affinity: nodeAffinity, podAffinity, podAntiAffinity."),
        "labels": (_LABELS, "Labels of the pod, over those of the pipeline."),
        "annotations": (_LABELS, "Annotations of the pod, over those of the pipeline."),
        "serviceAccountName": (_TEXT, "The pod's service account, in place of the pipeline's."),
        "imagePullSecrets": (_TEXTS, "Secrets with which the image is pulled, beside those of the pipeline."),
        "priorityClassName": (_TEXT, "The pod's priority class."),
        "activeDeadline": (_ref("duration"), "How long the pod may be there, pulling its image included: 1h."),
    }
    assert tuple(described) == placing.PLACEMENT_KEYS
    return {
        "placement": _object(described),
        **affinity_schema(),
        "toleration": _object(
            {
                "key": (_TEXT, "The taint's key."),
                "operator": ({"enum": ["Equal", "Exists"]}, "Equal compares the value, Exists does not."),
                "value": (_WORD, "The taint's value."),
                "effect": ({"enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]}, "The taint's effect."),
                "tolerationSeconds": (_WHOLE, "How long it stays on a machine that gets the taint."),
            }
        ),
        "volumeMount": _object(
            {
                "name": (_TEXT, "The volume's name."),
                "mountPath": (_TEXT, "Where the container sees it."),
                "subPath": (_TEXT, "The folder in the volume."),
                "readOnly": (_FLAG, "Whether it may only be read."),
            },
            required=("name", "mountPath"),
        ),
        "volume": _object(
            {
                "name": (_TEXT, "The name with which nodes mount it."),
                "persistentVolumeClaim": (_TEXT, "A claim of the namespace."),
                "configMap": (_TEXT, "A config map of the namespace."),
                "secret": (_TEXT, "A secret of the namespace."),
                "hostPath": (_TEXT, "A folder of the machine."),
                "emptyDir": ({"type": ["boolean", "string", "object"]}, "true, or a size limit: 1Gi."),
            },
            required=("name",),
        ),
    }


def _object(fields: dict[str, tuple[Schema, str]], required: tuple[str, ...] = ()) -> Schema:
    properties = {name: {**schema, "description": text} for name, (schema, text) in fields.items()}
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": properties, **needed, "additionalProperties": False}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}
