"""What a training may be told: one set of words for three libraries, each with its type, bounds and meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flowhub_assets.errors import InputError

_Model = TypeVar("_Model", bound=BaseModel)

#: The libraries that train here.
MODELS = ("scikit-learn", "xgboost", "lightgbm")

#: What a random forest has no use for: its trees are averaged, none corrects the one before.
_NOT_OF_FORESTS = ("learning_rate",)


class Hyperparameters(BaseModel):
    """How a model of trees is trained, in the same words for scikit-learn, XGBoost and LightGBM."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    trees: int = Field(
        default=100,
        ge=1,
        le=5_000,
        description="How many trees: of the forest (scikit-learn), or rounds of boosting (XGBoost, LightGBM).",
    )
    depth: int = Field(
        default=3, ge=1, le=16, description="How many questions lead from a tree's root to a leaf at most."
    )
    learning_rate: float = Field(
        default=0.05,
        gt=0,
        le=1,
        description="How much each round of boosting adds. scikit-learn's forest, which averages, leaves it unused.",
    )
    leaf_rows: int = Field(
        default=2,
        ge=1,
        le=10_000,
        description="The fewest rows in a leaf. XGBoost bounds the sum of their hessians instead (min_child_weight).",
    )
    row_share: float = Field(
        default=1.0, gt=0, le=1, description="The share of rows that each tree sees, drawn with the seed."
    )
    column_share: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="The share of columns that each tree sees; in scikit-learn's forest, each question.",
    )
    seed: int = Field(
        default=0, ge=0, le=2**31 - 1, description="The same seed, data and versions give the same model."
    )


class SearchBounds(BaseModel):
    """How long a search for hyper-parameters goes on."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    trials: int = Field(
        default=20, ge=1, le=10_000, description="How many trials at most, over all the times that it is started."
    )
    seconds: float = Field(default=600, gt=0, le=604_800, description="How long it may take this time, about.")
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="What the trials and their models are drawn with.")


def checked_hyperparameters(given: Mapping[str, Any]) -> Hyperparameters:
    """The hyper-parameters, defaults for those not given. Raises InputError, which tells each one that is wrong."""
    return _checked(Hyperparameters, given, "the hyper-parameters")


def checked_bounds(given: Mapping[str, Any]) -> SearchBounds:
    """The bounds of a search. Raises InputError, which tells each one that is wrong."""
    return _checked(SearchBounds, given, "the bounds of the search")


def _checked(kind: type[_Model], given: Mapping[str, Any], what: str) -> _Model:
    try:
        return kind.model_validate(dict(given))
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False))
        raise InputError(
            f"{what} cannot be used: {told}",
            effect="Nothing was trained.",
            remedy=f"There are {', '.join(kind.model_fields)}; their bounds stand in ml/hyperparameters.py.",
        ) from None


def used_by(model: str, hyperparameters: Hyperparameters) -> dict[str, int | float]:
    """Those that the library makes use of, by name."""
    unused = _NOT_OF_FORESTS if model == "scikit-learn" else ()
    return {name: value for name, value in hyperparameters.model_dump().items() if name not in unused}
