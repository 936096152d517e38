"""Checks of what the trigger of a moved alias is told: a registered model of MLflow, and an alias of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from flowhub_assets.ir.pipeline import Source
from flowhub_assets.ir.problem import Problem
from flowhub_assets.ir.spelling import did_you_mean

#: The type of the trigger.
MODEL_ALIAS = "model-alias"
ALIAS_KEYS = ("model", "alias")

#: MLflow's own rules (mlflow/utils/validation.py): it keeps latest and v1, v2 ... for itself.
_MODEL = re.compile(r"[^/:\s](?:[^/:\n]*[^/:\s])?")
_ALIAS = re.compile(r"(?!latest\Z|v\d+\Z)[\w-]+", re.ASCII | re.IGNORECASE)


def alias_faults(config: Mapping[str, Any], where: Source) -> Iterator[Problem]:
    """What is wrong with the config of a trigger of type model-alias."""
    effect = "it would never start a run"
    for key in config:
        if key not in ALIAS_KEYS:
            remedy = did_you_mean(key, ALIAS_KEYS) or "it takes model and alias"
            yield Problem(f"a model-alias trigger has {key!r}, which is nothing that it takes", where, remedy=remedy)
    model, alias = config.get("model"), config.get("alias")
    if not isinstance(model, str) or not _MODEL.fullmatch(model):
        what = "names no model" if model is None else f"has the model {model!r}"
        remedy = "name a registered model of MLflow: model: iris"
        yield Problem(f"a model-alias trigger {what}", where, effect, remedy)
    if not isinstance(alias, str) or not _ALIAS.fullmatch(alias):
        what = "names no alias" if alias is None else f"has the alias {alias!r}"
        remedy = "name an alias of letters, digits, - and _, none that MLflow keeps for itself: alias: champion"
        yield Problem(f"a model-alias trigger {what}", where, effect, remedy)
