"""How many files this process may have open: a run holds up to ten for each node that has a child process."""

from __future__ import annotations

import contextlib

#: Enough for the most light nodes at a time. Not as many as the system would allow, millions at times: programs that
#: the nodes start inherit the limit, and some close each possible file when they begin.
_ENOUGH = 1 << 14


def allow_open_files() -> None:
    """Raises the limit to what many nodes at a time need, as far as the system lets this process."""
    try:
        import resource
    except ImportError:  # Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # macOS tells no limit at all and still refuses large ones.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
