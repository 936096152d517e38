"""What a person decides over the registry: the params of promote-model and rollback-model, checked before a run is."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from flowhub_assets.ml.data_sets import DATA_SETS


def _known(name: str) -> str:
    if name not in DATA_SETS:
        raise ValueError(f"there is no such model; there are {', '.join(DATA_SETS)}")
    return name


_Model = Annotated[
    str,
    AfterValidator(_known),
    Field(description="The model: the name of its data set.", json_schema_extra={"enum": list(DATA_SETS)}),
]
_By = Annotated[str, Field(max_length=200, description="Who decides it; the run, where nobody is named.")]
_Why = Annotated[str, Field(max_length=500, description="Why; it is kept with the version.")]


class Promotion(BaseModel):
    """Which version becomes the champion."""

    model: _Model
    version: int = Field(ge=1, description="The version, as the registry counts them.")
    by: _By = ""
    why: _Why = ""
    force: bool = Field(False, description="Also where it is worse than the champion on the same rows.")


class Rollback(BaseModel):
    """Which model goes back to its champion of before."""

    model: _Model
    by: _By = ""
    why: _Why = ""
