"""Where a step's function can have a pod in an image of its own run: in the runs whose heavy steps go to Kubernetes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from flowhub_assets.runtime.step_context import Cancellation


@dataclass(frozen=True)
class PodStep:
    """One try of a step in a pod of its own: ``pod`` has "metadata" and "spec", ``container`` the one that counts.

    ``attempt`` counts from 1. ``config_maps`` are made before it, once in a run.
    """

    step_key: str
    attempt: int
    pod: Mapping[str, Any]
    config_maps: Sequence[Mapping[str, Any]] = ()
    container: str = "base"


class OwnImages(Protocol):
    """Runs pods for the steps of one run. May be used by many threads."""

    def run(
        self, step: PodStep, on_line: Callable[[str], None], tell: Callable[[str], None], cancellation: Cancellation
    ) -> str:
        """Returns when the pod has ended: why it ended badly, "" for well.

        ``on_line`` takes each line of its log while it runs, ``tell`` what people should know meanwhile. Its pod and
        Job are deleted when ``cancellation`` is set; raises TaskCancelled then.
        """


_current: ContextVar[OwnImages | None] = ContextVar("flowhub_own_images", default=None)


def own_images() -> OwnImages | None:
    """Those of the run that this step belongs to; None where an image= is not used: on this machine."""
    return _current.get()


@contextlib.contextmanager
def offering(images: OwnImages | None) -> Iterator[None]:
    """Steps that start inside find ``images``."""
    token = _current.set(images)
    try:
        yield
    finally:
        _current.reset(token)
