"""The exit codes of the verbs about runs, and how errors of ours are told."""

from __future__ import annotations

import pytest

from flowhub_assets import errors
from flowhub_assets.cli import exit_codes
from flowhub_assets.cli.exit_codes import code_of, errors_told


@pytest.mark.parametrize(
    ("status", "code"),
    [("SUCCESS", 0), ("FAILURE", 1), ("FAILED_TO_LAUNCH", 1), ("CANCELED", 3), ("SUPERSEDED", 3)],
)
def test_the_end_of_a_run_is_an_exit_code(status: str, code: int) -> None:
    assert code_of(status) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.NotFound("x"), 2),
        (errors.Conflict("x"), 2),
        (errors.NotAuthenticated("x"), 2),
        (errors.NotAllowed("x"), 2),
        (errors.InputError("x"), 2),
        (errors.Unavailable("x"), 4),
        (errors.TooMuch("x"), 4),
    ],
)
def test_an_error_is_told_and_becomes_a_code(
    error: errors.FlowhubError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, errors_told():
        raise error
    assert ended.value.code == code
    assert capsys.readouterr().err == "Error: x\n"


def test_each_wrong_param_has_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    fields = (("times", "is 0, below 1", "give 1"), ("", "there is one too many", ""))
    with pytest.raises(SystemExit), errors_told():
        raise errors.ParamsRefused("two are wrong", fields=fields)
    assert capsys.readouterr().err == (
        "Error: two are wrong\n  times: is 0, below 1 (give 1)\n  params: there is one too many\n"
    )


def test_the_codes_are_those_of_the_docstring() -> None:
    told = {line.split("|")[1].strip() for line in (exit_codes.__doc__ or "").splitlines() if line.startswith("|")}
    names = "SUCCESS FAILED REFUSED CANCELLED UNAVAILABLE TIMED_OUT INTERRUPTED".split()
    assert told - {"code", "---"} == {str(getattr(exit_codes, name)) for name in names}
