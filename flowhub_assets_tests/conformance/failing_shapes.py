"""Graphs in which one task fails for good: what is done by then, and what on_failure is told, must be the same."""

from __future__ import annotations

from dataclasses import dataclass

from flowhub_assets_tests.conformance.shapes import INPUT, JOIN, LEFT, RIGHT, A, B, C, Shape
from flowhub_assets_tests.conformance.workflow_text import main, step, workflow

_NOTED = "on_failure=note"


@dataclass(frozen=True)
class FailingShape(Shape):
    """``fails`` is the task that fails, with ``error_type``; those in ``done`` have ended well by then.

    ``noted`` says whether on_failure is there. One that is to ``crash`` takes its process with it, and must
    not be run in the process of the test.
    """

    fails: str = "b"
    error_type: str = "ValueError"
    error: str | None = None
    done: tuple[str, ...] = ("a",)
    noted: bool = True
    crash: bool = False


def _chain(
    name: str, first: str, error_type: str, *, words: str = "", head: str = "", settings: str = _NOTED, **more: object
) -> FailingShape:
    """a → b → c, where b does ``first``."""
    text = workflow(head, A, step("b", words=words, first=first), C, main("return c(b(a(args)))", words=settings))
    return FailingShape(name, text, error_type=error_type, **more)  # type: ignore[arg-type]


_OWN_ERROR = '''

class OutOfTea(Exception):
    """A class of the user's own."""

    def __init__(self, left, *, of):
        super().__init__(left)
        self.left, self.of = left, of

    def __str__(self):
        return f"{self.left} of {self.of}"
'''

_NESTED = """

def read(args):
    try:
        return args["absent"]
    except KeyError as error:
        raise RuntimeError("nothing to read") from error
"""

#: The process of a step dies in the middle of it, and nobody but its parent can tell.
KILLED = _chain(
    "the process of a step is killed",
    "import signal; os.kill(os.getpid(), 9)",
    "TaskKilled",
    words="retries=1",
    attempts={"a": 1, "b": 2},
    crash=True,
)

FAILING = [
    _chain("a chain breaks", "raise ValueError(f'bad {args[\"shared\"]}')", "ValueError", error="bad a"),
    _chain("a chain breaks and nobody is told", "raise ValueError('bad')", "ValueError", settings="", noted=False),
    _chain("an empty error", "raise ValueError", "ValueError", error=""),
    _chain("a Korean error", "raise ValueError('값이 없습니다: 서울')", "ValueError", error="값이 없습니다: 서울"),
    _chain("many lines of error", "raise ValueError('one\\ntwo\\n\\nthree')", "ValueError", error="one\ntwo\n\nthree"),
    _chain("an error of the user's own", "raise OutOfTea(1, of=3)", "OutOfTea", head=_OWN_ERROR, error="1 of 3"),
    _chain("an error with a cause", "read(args)", "RuntimeError", head=_NESTED, error="nothing to read"),
    _chain("sys.exit", "raise SystemExit(3)", "SystemExit", error="3"),
    _chain(
        "retries that do not help",
        "raise ValueError(f'attempt {attempt(args)}')",
        "ValueError",
        words="retries=2",
        error="attempt 3",
        attempts={"a": 1, "b": 3},
    ),
    _chain("nothing returned", "return None", "ValueRefused"),
    _chain("bytes returned", "return {'list': [b'x']}", "ValueRefused"),
    _chain("NaN returned", "return {'ratio': float('nan')}", "ValueRefused"),
    _chain(
        "a wrong value is tried again",
        "return {'attempt': {attempt(args)}}",
        "ValueRefused",
        words="retries=1",
        attempts={"a": 1, "b": 2},
    ),
    _chain(
        "a secret in the error",
        "raise ValueError('refused: ' + args['env']['API_TOKEN'])",
        "ValueError",
        settings=f"{_NOTED}, env={{'default': {{'API_TOKEN': 'tell-nobody'}}}}",
    ),
    _chain(
        "params are told too",
        "raise ValueError('bad')",
        "ValueError",
        settings=f"{_NOTED}, params={{'shared': 'param', 'kept': [1]}}",
        given={"shared": "given"},
    ),
    FailingShape(
        "the only task",
        workflow(step("a", first="raise ValueError('bad')"), main("return a(args)", words=_NOTED)),
        fails="a",
        done=(),
    ),
    FailingShape(
        "a join breaks when both its branches are done",
        workflow(
            A,
            LEFT,
            RIGHT,
            step("join", "one, two", first="raise KeyError(two['shared'])"),
            C,
            main("start = a(args)", "return c(join(left(start), right(start)))", words=_NOTED),
        ),
        fails="join",
        error_type="KeyError",
        error="'right'",
        done=("a", "left", "right"),
    ),
    FailingShape(
        "Korean names",
        workflow(
            step("불러오기", first="raise ValueError(args['env']['project'])"),
            B,
            main("return b(불러오기(args))", name="보고서", words=_NOTED),
        ),
        fails="불러오기",
        error="보고서",
        done=(),
        given={**INPUT, "도시": "서울"},
    ),
    FailingShape(
        "on_failure is a task of the flow as well",
        workflow(
            A,
            step("b", first="raise ValueError('bad')"),
            JOIN,
            main("return join(b(a(args)))", words="on_failure=note.named('알림')"),
        ),
    ),
    FailingShape(
        "on_failure itself fails",
        workflow(
            A,
            step("b", first="raise ValueError('bad')"),
            "\n\n@task(retries=2)\ndef alarm(args):\n    note(args)\n    raise OSError('no bell')\n",
            main("return b(a(args))", words="on_failure=alarm"),
        ),
    ),
    _chain("too slow", "import time; time.sleep(60)", "TaskTimedOut", words="timeout=0.5", crash=True),
    _chain(
        "the process is killed", "import signal; os.kill(os.getpid(), 9)", "TaskKilled", words="timeout=60", crash=True
    ),
    _chain("the process ends", "os._exit(7)", "TaskKilled", words="timeout=60", crash=True),
]
