"""Looks at a run until it is over: the same for one here and one on a server, which may be away for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from flowhub_assets.cli.access import Access
from flowhub_assets.errors import Unavailable
from flowhub_assets.server.run_facts import RunEvent, RunView

#: Seconds between two looks: at first, and at most where nothing comes.
_FIRST_PAUSE, _LAST_PAUSE = 0.2, 1.0
#: For how many seconds a server may be away, as while it is started anew.
_AWAY_SECONDS = 30.0


class OutOfTime(Exception):
    """``--timeout`` is over, and the run is not."""


def events_until_over(
    access: Access, run_id: str, timeout: float | None, on_view: Callable[[RunView], None] = lambda _: None
) -> Iterator[RunEvent]:
    """What happens in the run; ``on_view`` is told how it stands. Raises OutOfTime after ``timeout`` seconds."""
    began = last_answer = time.monotonic()
    cursor: str | None = None
    pause = _FIRST_PAUSE
    while True:
        events: list[RunEvent] = []
        view = None
        try:
            view = access.run(run_id)  # asked first: what is read then is all that will ever be
            events, cursor = access.events(run_id, cursor)
            last_answer = time.monotonic()
        except Unavailable:
            if time.monotonic() - last_answer > _AWAY_SECONDS:
                raise
        if view is not None:
            on_view(view)
        yield from events
        if view is not None and view.is_over and not events:
            return
        left = None if timeout is None else began + timeout - time.monotonic()
        if left is not None and left <= 0:
            raise OutOfTime
        pause = _FIRST_PAUSE if events else min(pause * 1.5, _LAST_PAUSE)
        if not events:
            time.sleep(pause if left is None else min(pause, left))


def wait_until_over(access: Access, run_id: str, timeout: float | None) -> None:
    """Waits for the run's end, whatever happens in it. Raises OutOfTime."""
    for _ in events_until_over(access, run_id, timeout):
        pass
