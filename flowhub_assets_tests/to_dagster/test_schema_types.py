"""The launchpad's types of typed params: whatever the class takes passes, what does not fit is told before a run."""

from __future__ import annotations

from typing import Any

import pytest
from dagster import (
    AssetKey,
    DagsterInstance,
    DagsterInvalidConfigError,
    ResourceDefinition,
    job,
    op,
    validate_run_config,
)
from hypothesis import HealthCheck, given, settings

from flowhub_assets.from_python.typed_params import params_of_type
from flowhub_assets.ir.pipeline import Pipeline, Source
from flowhub_assets.runtime.typed_values import form_of
from flowhub_assets.to_dagster.params import flow_input, params_resource
from flowhub_assets_tests.typed_models import Order, OrderModel, order_models, orders
from flowhub_assets_tests.workflows import Workflows, failure_of

TYPED = """
    import dataclasses, datetime
    from typing import Optional

    @dataclasses.dataclass
    class Inner:
        size: int
        when: Optional[datetime.datetime] = None

    @dataclasses.dataclass
    class Request:
        inner: Inner
        names: list[str] = dataclasses.field(default_factory=list)

    @task
    def look(args: Request):
        return {"size": args.inner.size + 1, "year": args.inner.when.year if args.inner.when else None}

    @flow(name="typed", params=Request)
    def main(args):
        return look(args)
"""


@op(required_resource_keys={"params"})
def nothing() -> None:
    """Has the params."""


def job_of(kind: Any) -> Any:
    """A job whose resource takes the params of a class, and the pipeline."""
    params, schemas = params_of_type(kind, Source("flow.py", 1))
    pipeline = Pipeline("p", (), Source("flow.py", 1), params=params, param_schemas=schemas)
    resource: ResourceDefinition = params_resource(pipeline)

    @job(resource_defs={"params": resource}, name=kind.__name__)
    def made() -> None:
        nothing()

    return made, pipeline


JOBS = {kind: job_of(kind) for kind in (Order, OrderModel)}


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(orders | order_models)
def test_what_the_class_takes_passes_the_launchpad_unchanged(order: Any) -> None:
    form = form_of(type(order))
    made, pipeline = JOBS[type(order)]
    config = validate_run_config(made, {"resources": {"params": {"config": form.to_json(order)}}})

    assert form.from_json(flow_input(pipeline, config["resources"]["params"]["config"])) == order


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"inner": {"size": "x"}}, "root:resources:typed_params:config:inner:size"),
        ({"inner": {}}, 'Missing required config entry "size"'),
        ({"inner": {"size": 1}, "names": [1]}, "root:resources:typed_params:config:names[0]"),
        ({}, 'Missing required config entry "inner"'),
    ],
)
def test_nested_fields_are_checked_by_the_launchpad(workflows: Workflows, given: Any, told: str) -> None:
    workflows.write("typed.py", TYPED)
    with pytest.raises(DagsterInvalidConfigError) as caught:
        validate_run_config(workflows.repository().get_job("typed"), {"resources": {"typed_params": {"config": given}}})
    assert told in str(caught.value)


def test_the_task_has_the_object_and_what_only_the_class_knows_is_told_before_it(
    workflows: Workflows, instance: DagsterInstance
) -> None:
    workflows.write("typed.py", TYPED)
    done = workflows.run("typed", instance, inner={"size": 1, "when": "2026-01-02"})
    assert done.asset_value(AssetKey(["typed", "look"])) == {"size": 2, "year": 2026}

    wrong = workflows.run("typed", instance, inner={"size": 1, "when": "2026-13-02"})
    assert "month value is outside expected range of 1-12" in failure_of(wrong, "typed__look")
