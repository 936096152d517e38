"""Every error that flowhub_assets raises on purpose: what is wrong, where, what follows, what to do.

    FlowhubError
    ├── DefinitionError      a task, flow or pipeline file that is wrong as it is written
    │   └── TracingError     a value of the flow's body used before any task has run
    ├── InputError           a command-line argument, an input file, run config
    ├── ProfileError         an env profile that is missing or says two things
    ├── StorageError         a file or object that cannot be read or written
    │   ├── ObjectMissing    it is not there
    │   ├── AccessRefused    the server does not accept the credentials
    │   ├── OutsideStorage   it lies outside the WORKSPACE or BUCKET of the profile
    │   └── TransferFailed   it did not arrive whole, also after the retries
    ├── RunError             a run that cannot go on
    │   ├── TaskFailed       the task's own code raised
    │   ├── TaskTimedOut     it ran longer than its timeout
    │   ├── TaskKilled       its process died: a signal, out of memory, os._exit
    │   ├── TaskCancelled    the run was stopped while it ran
    │   ├── CheckFailed      a check that blocks does not hold for what it returned
    │   ├── ValueRefused     what it returned cannot be kept as JSON
    │   └── ValueMissing     the output of a task upstream was never saved
    └── RequestRefused       what was asked from outside (HTTP, gRPC, a webhook, the command line) is not done
        ├── ParamsRefused    the params are not what the pipeline takes; each of them is told
        ├── WorkflowRefused  the text of a workflow has mistakes; each of them is told with its line
        ├── NotFound         there is no such pipeline, run, queue or hook
        ├── Conflict         it contradicts what is there: a key that was used for another request, a run that is over
        │   └── Outdated     it was changed by somebody else since the asker has read it
        ├── NotAuthenticated nobody is known by that token or signature
        ├── NotAllowed       who asked may not do this
        ├── TooMuch          too many requests, or too many bytes
        └── Unavailable      the database or Dagster does not answer now; the same request may be sent again

A caller prints ``str(error)`` and shows no traceback of ours.
"""

from __future__ import annotations

from typing import Optional


class FlowhubError(Exception):
    """One mistake, told to the person who can mend it.

    ``what`` names the wrong value, ``where`` is ``file:line`` or the asset, node or key,
    ``effect`` says what happens because of it and ``remedy`` what to do. Only ``what`` is required.
    """

    def __init__(self, what: str, *, where: object = "", effect: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = str(where) if where else ""
        self.effect = effect
        self.remedy = remedy

    def __str__(self) -> str:
        first = f"{self.where}: {self.what}" if self.where else self.what
        return "\n".join([first, *(f"  {_sentence(line)}" for line in (self.effect, self.remedy) if line)])

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders (a task's child to its parent); Exception's own way
        # would call __init__ with ``what`` alone and lose the rest.
        return _rebuild, (type(self), dict(self.__dict__, args=self.args))


def _sentence(text: str) -> str:
    """Every room's words look alike: a capital in front, a mark at the end."""
    whole = text[0].upper() + text[1:]
    return whole if whole.endswith((".", "?", "!", ":")) else f"{whole}."


def _rebuild(kind: type[FlowhubError], state: dict[str, object]) -> FlowhubError:
    error = kind.__new__(kind)
    error.args = state.pop("args")  # type: ignore[assignment]
    error.__dict__.update(state)
    return error


class DefinitionError(FlowhubError):
    """A task, flow or pipeline file that is wrong as it is written."""


class TracingError(DefinitionError):
    """A traced value used as if a task had already run."""


class InputError(FlowhubError):
    """A command-line argument, an input file or run config that cannot be used."""


class ProfileError(FlowhubError):
    """An env profile that is missing or contradicts itself."""


class StorageError(FlowhubError):
    """A file or object that cannot be read or written."""


class ObjectMissing(StorageError):
    """The file or object is not there."""


class AccessRefused(StorageError):
    """The storage server does not accept the credentials, or they lack the right."""


class OutsideStorage(StorageError):
    """A path or URL outside the profile's WORKSPACE or BUCKET."""


class TransferFailed(StorageError):
    """A transfer that did not end whole, also after its retries."""


class RunError(FlowhubError):
    """A run that cannot go on."""


class TaskFailed(RunError):
    """The task's own code raised.

    ``error`` is the exception's text, ``error_type`` its class name, ``error_types`` those of its bases too, and
    ``traceback`` what Python prints of it, without the frames of flowhub_assets; those of the user's files and of
    libraries are there. ``retry`` is False where the code itself said that another try would end alike.
    """

    def __init__(
        self,
        what: str,
        *,
        where: object = "",
        effect: str = "",
        remedy: str = "",
        error: str = "",
        error_type: str = "",
        traceback: str = "",
        error_types: tuple[str, ...] = (),
        retry: bool = True,
    ) -> None:
        super().__init__(what, where=where, effect=effect, remedy=remedy)
        self.error = error
        self.error_type = error_type
        self.error_types = error_types
        self.retry = retry
        self.traceback = traceback


class TaskTimedOut(RunError):
    """The task ran longer than its timeout and was stopped."""


class TaskKilled(RunError):
    """The task's process ended without an answer; ``signal`` is the number of the signal, if it was one."""

    def __init__(
        self, what: str, *, where: object = "", effect: str = "", remedy: str = "", signal: Optional[int] = None
    ) -> None:
        super().__init__(what, where=where, effect=effect, remedy=remedy)
        self.signal = signal


class TaskCancelled(RunError):
    """The run was stopped while the task ran."""


class CheckFailed(RunError):
    """A check of the task that blocks does not hold: what takes its value does not run."""


class ValueRefused(RunError):
    """What a task returned is not a dict, or holds something that JSON cannot keep."""


class ValueMissing(RunError):
    """The output of a task upstream was never saved."""


class RequestRefused(FlowhubError):
    """What was asked from outside is not done; each kind of it is one HTTP status and one gRPC status."""


class ParamsRefused(RequestRefused):
    """The params are not what the pipeline takes. ``fields`` says of each wrong one what is wrong and what to do.

    A field is its path in the params, as ``cities[0].name``.
    """

    def __init__(
        self,
        what: str,
        *,
        where: object = "",
        effect: str = "",
        remedy: str = "",
        fields: tuple[tuple[str, str, str], ...] = (),
    ) -> None:
        super().__init__(what, where=where, effect=effect, remedy=remedy)
        self.fields = fields


class WorkflowRefused(RequestRefused):
    """The text of a workflow has mistakes. ``mistakes`` are each one's line and column, what is wrong, what to do.

    A line is counted from 1; it is 0 for what is wrong with the text as a whole.
    """

    def __init__(
        self,
        what: str,
        *,
        where: object = "",
        effect: str = "",
        remedy: str = "",
        mistakes: tuple[tuple[int, int, str, str], ...] = (),
    ) -> None:
        super().__init__(what, where=where, effect=effect, remedy=remedy)
        self.mistakes = mistakes


class NotFound(RequestRefused):
    """There is no such pipeline, run, queue or hook."""


class Conflict(RequestRefused):
    """It contradicts what is there: a key that was used for another request, a run that is over."""


class Outdated(Conflict):
    """It was changed by somebody else since the asker has read it."""


class NotAuthenticated(RequestRefused):
    """Nobody is known by the token or signature that was sent, or none was sent."""


class NotAllowed(RequestRefused):
    """Who asked is known, and may not do this."""


class TooMuch(RequestRefused):
    """Too many requests in a time, or too many bytes in one. ``seconds`` is when to come back, 0 if never."""

    def __init__(
        self, what: str, *, where: object = "", effect: str = "", remedy: str = "", seconds: float = 0.0
    ) -> None:
        super().__init__(what, where=where, effect=effect, remedy=remedy)
        self.seconds = seconds


class Unavailable(RequestRefused):
    """The database or Dagster does not answer now. Nothing was begun; the same request may be sent again."""
