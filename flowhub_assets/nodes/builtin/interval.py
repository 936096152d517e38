"""The kind interval: a run that starts again and again."""

from __future__ import annotations

from pydantic import Field, field_validator

from flowhub_assets.nodes.builtin.cron import zone
from flowhub_assets.nodes.durations import Seconds
from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeContext, NodeInput
from flowhub_assets.nodes.trigger_kinds import TriggerOutput, brought


class Interval(Node):
    """Gives when the interval that started the run was due.

    As `trigger: {type: interval, every: 5m}` of a pipeline it starts a run each time so much time is over; the same
    keys are the config of the node. As a node it hands the time on, which can as well be read from
    `{{trigger.time}}`.

    **Errors**: what is no length of time is told before anything runs.
    """

    name = "interval"
    category = "trigger"
    primary = "time"
    example = """\
- id: every-five-minutes
  type: interval
  config: {every: 5m}
"""

    class Config(NodeConfig):
        """When runs start."""

        every: Seconds = Field(86_400, gt=0, description="The time between two runs: seconds, or 30s, 5m, 1h30m.")
        timezone: str = Field("UTC", description="The time zone in which days begin, such as Asia/Seoul.")

        _is_zone = field_validator("timezone")(zone)

    class Input(NodeInput):
        """Nothing: the clock is what it takes."""

    class Output(TriggerOutput):
        """When the run was due."""

    async def execute(self, input: Input, context: NodeContext) -> Output:  # noqa: ARG002 - there is none
        """Hands the time on."""
        return self.Output(**brought(context))
