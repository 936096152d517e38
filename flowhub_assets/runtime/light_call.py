"""Runs a callable in a thread of this process: what a light task is."""

from __future__ import annotations

import contextlib
import contextvars
import selectors
import socket
import threading
import time
from typing import Any, Callable

from flowhub_assets.errors import TaskCancelled
from flowhub_assets.runtime.step_context import Cancellation


class Bell:
    """Wakes the thread that waits for light calls; its file descriptor can be read once one has ended."""

    def __init__(self) -> None:
        self._ring, self._ear = socket.socketpair()
        self._ring.setblocking(False)
        self._ear.setblocking(False)

    def fileno(self) -> int:
        """What select() waits for."""
        return self._ear.fileno()

    def ring(self) -> None:
        """May be called from any thread, also after ``close``."""
        # A full buffer wakes as well; a call that was given up may end when nobody listens any more.
        with contextlib.suppress(OSError):
            self._ring.send(b"\0")

    def wait(self, seconds: float) -> None:
        """Waits for a ring, ``seconds`` at most."""
        # Not select.select: it takes no file descriptor above 1023.
        with selectors.DefaultSelector() as selector:
            selector.register(self._ear, selectors.EVENT_READ)
            selector.select(max(0.0, seconds))
        self.heard()

    def heard(self) -> None:
        """Takes the rings so far."""
        with contextlib.suppress(OSError):
            while self._ear.recv(4096):
                pass

    def close(self) -> None:
        """Gives the sockets back."""
        self._ring.close()
        self._ear.close()


class LightCall:
    """One call in a thread. ``finished`` once ``result()`` can be asked for; the thread never keeps a process alive."""

    def __init__(self, call: Callable[[], Any], name: str, cancellation: Cancellation, bell: Bell) -> None:
        self.name = name
        self.finished = False
        self._call = call
        self._cancellation = cancellation
        self._bell = bell
        self._value: Any = None
        self._error: BaseException | None = None
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._run,), name=f"flowhub-{name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Asks the call to end."""
        self._cancellation.set()

    def wait(self, seconds: float) -> None:
        """Waits for its end, ``seconds`` at most."""
        self._thread.join(seconds)

    def result(self) -> Any:
        """What the callable returned. Raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._value

    def _run(self) -> None:
        try:
            self._value = self._call()
        except Exception as error:  # noqa: BLE001 - whoever asks for the result is told
            self._error = error
        except BaseException as error:  # noqa: BLE001 - an interrupt of another thread's making ends this call only
            self._error = TaskCancelled(f"task {self.name!r} was interrupted: {type(error).__name__}")
        self.finished = True
        self._bell.ring()


def stop_calls(calls: list[LightCall], grace: float) -> None:
    """Asks all calls to end and waits for them, ``grace`` seconds altogether; what goes on then is left to itself."""
    running = [call for call in calls if not call.finished]
    for call in running:
        call.stop()
    until = time.monotonic() + grace
    for call in running:
        call.wait(max(0.0, until - time.monotonic()))
