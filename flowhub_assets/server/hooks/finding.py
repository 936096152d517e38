"""Which pipeline a delivery is for, and the keys that may sign it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from flowhub_assets.errors import NotFound, Unavailable
from flowhub_assets.nodes.builtin.object_arrival import ObjectArrival
from flowhub_assets.nodes.builtin.webhook import Webhook
from flowhub_assets.nodes.signed_triggers import SignedConfig
from flowhub_assets.resources.settings import deployed_profile
from flowhub_assets.server.catalogue import Entry
from flowhub_assets.server.hooks.signatures import usable_keys
from flowhub_assets.to_dagster.flow_definitions import job_name

logger = logging.getLogger("flowhub.hooks")

_CONFIGS: Mapping[str, type[SignedConfig]] = {"webhook": Webhook.Config, "object-arrival": ObjectArrival.Config}


@dataclass(frozen=True)
class Hook:
    """A pipeline's trigger that deliveries fire. ``path`` is its own behind /hooks/; ``kind`` the trigger's type."""

    entry: Entry
    kind: str
    path: str
    config: Mapping[str, Any]

    def checked(self) -> SignedConfig:
        """Its config. Raises Unavailable for one that is wrong: then nobody gets in."""
        try:
            return _CONFIGS[self.kind].model_validate(dict(self.config))
        except ValidationError as error:
            name, wrong = self.entry.pipeline.name, [".".join(map(str, one["loc"])) for one in error.errors()]
            logger.error("the %s of %s cannot be used: %s", self.kind, name, ", ".join(wrong))
            raise _unavailable() from None


def find_hook(entries: Iterable[Entry], path: str) -> Hook:
    """The hook at ``path``. Raises NotFound, also where two pipelines claim the path."""
    found = [hook for entry in entries for hook in _hooks(entry) if hook.path == path.strip("/")]
    own = [hook for hook in found if path in _names(hook.entry)] or found
    if len({id(hook.entry) for hook in own}) == 1:
        # A webhook goes before an arriving object of the same pipeline.
        return min(own, key=lambda hook: hook.kind != "webhook")
    if own:
        logger.error("several pipelines have the hook %r: %s", path, [hook.entry.pipeline.name for hook in own])
    raise NotFound(f"there is no hook {path[:100]!r}", effect="Nothing was started.")


def signing_keys(hook: Hook, config: SignedConfig) -> Sequence[str]:
    """The keys themselves, in their order. Raises Unavailable where there is none that can be used."""
    _, profile = deployed_profile(hook.entry.pipeline.profiles)
    found = [key for name in config.keys for key in _key(profile, name)]
    usable = usable_keys(str(config.signature), found)
    if len(usable) < len(config.keys):
        names = ", ".join(config.keys)
        logger.error("hook %r: one of its keys %s is not set here, or cannot be used", hook.path, names)
    if not usable:
        raise _unavailable()
    return usable


def _hooks(entry: Entry) -> Iterable[Hook]:
    for trigger in entry.pipeline.triggers:
        if trigger.type in _CONFIGS:
            path = trigger.config.get("path") if trigger.type == "webhook" else None
            paths = [path.strip("/")] if isinstance(path, str) and path.strip("/") else _names(entry)
            for one in paths:
                yield Hook(entry, trigger.type, one, trigger.config)


def _names(entry: Entry) -> list[str]:
    return list(dict.fromkeys((entry.pipeline.name, job_name(entry.pipeline))))


def _key(profile: Mapping[str, Any], name: str) -> list[str]:
    """What the profile has under the name, else the environment; each line is a key."""
    given = profile.get(name)
    if isinstance(given, Mapping):
        variable = given.get("env") if len(given) == 1 else None
        given = os.environ.get(variable, "") if isinstance(variable, str) else ""
    elif given is None:
        given = os.environ.get(name, "")
    return [line.strip() for line in str(given).splitlines() if line.strip()]


def _unavailable() -> Unavailable:
    return Unavailable(
        "this hook takes no deliveries now",
        effect="Nothing was started.",
        remedy="The server's log says why; send the delivery again when that is mended.",
    )
