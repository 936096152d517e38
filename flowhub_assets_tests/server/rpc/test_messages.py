"""Views as messages: each word for how a run stands has its own value, and no number or time is too great."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from flowhub_assets.server.rpc.flowhub.v1 import flowhub_pb2 as pb
from flowhub_assets.server.rpc.messages import event_message, run_message
from flowhub_assets.server.rpc.structs import utf8
from flowhub_assets.server.run_events import RunEvent
from flowhub_assets.server.run_views import STATUSES, RunView, StepView

times = st.floats(0, 4e9) | st.none()
texts = st.text(st.characters(), max_size=10)
numbers = st.integers(-(2**70), 2**70)


def test_every_word_for_how_a_run_stands_has_its_value() -> None:
    told = {word: run_message(RunView("id", "greet", "greet", word, 0.0)).status for word in STATUSES}
    assert len(set(told.values())) == len(STATUSES)
    assert {pb.RunStatus.Name(value) for value in told.values()} == {f"RUN_STATUS_{word}" for word in STATUSES}
    assert set(told.values()) == set(pb.RunStatus.values()) - {pb.RUN_STATUS_UNSPECIFIED}


def test_a_word_that_is_new_is_not_said() -> None:
    assert run_message(RunView("id", "greet", "greet", "SOMETHING_NEW", 0.0)).status == pb.RUN_STATUS_UNSPECIFIED


@given(times, times, numbers, st.dictionaries(texts, texts, max_size=3))
def test_any_run_is_told(started: float | None, ended: float | None, number: int, tags: dict[str, str]) -> None:
    step = StepView("say", "FAILURE", number, started, ended)
    view = RunView(
        "id", "greet", "greet", "FAILURE", 1.5, started, ended, "night", number, "grpc", "shop", tags, (step,), "why"
    )
    told = pb.Run.FromString(run_message(view).SerializeToString())
    assert told.created.ToMilliseconds() == 1_500
    assert told.HasField("started") == (started is not None)
    if ended is not None:
        assert abs(told.ended.ToMicroseconds() / 1e6 - ended) < 1e-3
    assert dict(told.tags) == {utf8(key): utf8(value) for key, value in tags.items()}
    assert told.steps[0].name == "say"
    assert (told.priority == number) == (abs(number) < 2**31)
    assert (told.queue, told.door, told.caller, told.error) == ("night", "grpc", "shop", "why")


@given(st.floats(0, 4e9), texts, numbers)
@example(0.0, "\ud800", 1)
def test_any_event_is_told(time: float, message: str, attempt: int) -> None:
    sent = event_message(RunEvent("12", time, "LOG", "say", "INFO", message, attempt))
    told = pb.RunEvent.FromString(sent.SerializeToString())
    assert (told.cursor, told.kind, told.step, told.level, told.message) == ("12", "LOG", "say", "INFO", utf8(message))
