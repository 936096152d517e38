"""The kind cron: a run that starts at certain times."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from flowhub_assets.ir.cron import fault
from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeContext, NodeInput
from flowhub_assets.nodes.trigger_kinds import TriggerOutput, brought


def zone(name: str) -> str:
    """``name``, which must be a time zone. Raises ValueError."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"must be a time zone such as Asia/Seoul, and {name!r} is none") from None
    return name


class Cron(Node):
    """Gives when the schedule that started the run was due.

    As `trigger: {type: cron, schedule: "0 9 * * *", timezone: Asia/Seoul}` of a pipeline it starts runs at these
    times; the same keys are the config of the node. As a node it hands the time on, which can as well be read from
    `{{trigger.time}}`.

    **Errors**: a schedule or a time zone that does not exist is told before anything runs.
    """

    name = "cron"
    category = "trigger"
    primary = "time"
    example = """\
- id: each-morning
  type: cron
  config: {schedule: "0 9 * * *", timezone: Asia/Seoul}
"""

    class Config(NodeConfig):
        """When runs start."""

        schedule: str = Field("@daily", description="Minute, hour, day of month, month, day of week; or @daily, say.")
        timezone: str = Field("UTC", description="The time zone of the schedule, such as Asia/Seoul.")

        @field_validator("schedule")
        @classmethod
        def _is_cron(cls, value: str) -> str:
            wrong = fault(value)
            if wrong is not None:
                raise ValueError(f"must be a cron expression; it {wrong[0]}: {wrong[1]}")
            return value

        _is_zone = field_validator("timezone")(zone)

    class Input(NodeInput):
        """Nothing: the clock is what it takes."""

    class Output(TriggerOutput):
        """When the run was due."""

    async def execute(self, input: Input, context: NodeContext) -> Output:  # noqa: ARG002 - there is none
        """Hands the time on."""
        return self.Output(**brought(context))
