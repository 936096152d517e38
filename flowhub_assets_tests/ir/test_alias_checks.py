"""What the trigger of a moved alias is told."""

from __future__ import annotations

import pytest

from flowhub_assets.ir.checks import problems
from flowhub_assets.ir.triggers import Trigger
from flowhub_assets_tests.ir.pipelines_as_data import messages, pipeline_of, task_of


@pytest.mark.parametrize(
    ("model", "alias"), [("iris", "champion"), ("붓꽃", "ab-test_2"), ("wine quality, v2", "version"), ("i", "v2x")]
)
def test_what_mlflow_takes(model: str, alias: str) -> None:
    trigger = Trigger("model-alias", config={"model": model, "alias": alias})
    assert messages(pipeline_of(task_of("a"), triggers=(trigger,))) == []


@pytest.mark.parametrize(
    ("config", "message", "remedy"),
    [
        ({"alias": "champion"}, "names no model", "model: iris"),
        ({"model": "iris"}, "names no alias", "alias: champion"),
        ({"model": "team/iris", "alias": "a"}, "has the model 'team/iris'", "model: iris"),
        ({"model": "models:iris", "alias": "a"}, "has the model 'models:iris'", "model: iris"),
        ({"model": " ", "alias": "a"}, "has the model ' '", "model: iris"),
        ({"model": 7, "alias": "a"}, "has the model 7", "model: iris"),
        ({"model": "iris", "alias": "Latest"}, "has the alias 'Latest'", "keeps for itself"),
        ({"model": "iris", "alias": "v3"}, "has the alias 'v3'", "keeps for itself"),
        ({"model": "iris", "alias": "a b"}, "has the alias 'a b'", "letters"),
        ({"model": "iris", "alias": "a", "modell": 1}, "has 'modell'", "did you mean 'model'?"),
        ({"model": "iris", "alias": "a", "stage": 1}, "has 'stage'", "it takes model and alias"),
    ],
)
def test_what_is_wrong(config: dict[str, object], message: str, remedy: str) -> None:
    (problem,) = problems(pipeline_of(task_of("a"), triggers=(Trigger("model-alias", config=config),)))
    assert message in problem.what
    assert remedy in problem.remedy
