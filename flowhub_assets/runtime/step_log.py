"""A step's log as lines: on a laptop they are shown with what the task prints."""

from __future__ import annotations

import logging
from typing import Callable


class _Lines(logging.Handler):
    def __init__(self, emit: Callable[[str], None]) -> None:
        super().__init__()
        self._emit = emit

    def emit(self, record: logging.LogRecord) -> None:
        level = "" if record.levelno == logging.INFO else f"{record.levelname}: "
        for line in self.format(record).splitlines() or [""]:
            self._emit(level + line)


def line_logger(emit: Callable[[str], None]) -> logging.Logger:
    """A logger that hands each line, from level INFO on, to ``emit``; it is nobody's child and nobody's parent."""
    logger = logging.Logger("flowhub.step", logging.INFO)  # noqa: LOG001 - one for each step, not one for all
    logger.addHandler(_Lines(emit))
    return logger
