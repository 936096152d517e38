"""template.transcript against a real HTTP server that speaks the endpoint."""

from __future__ import annotations

import io
import json
import sys
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import InputError, RunError
from flowhub_assets.templates import transcript, transcription, transcription_server
from flowhub_assets.templates.transcription_server import Server, multipart

Make = Callable[..., Any]


def form_of(body: bytes, content_type: str) -> dict[str, Any]:
    message = BytesParser().parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    return {str(part.get_param("name", header="content-disposition")): part for part in message.walk()}


def seconds_of(data: bytes) -> float:
    with wave.open(io.BytesIO(data)) as sound:
        return float(sound.getnframes() / sound.getframerate())


@dataclass
class Listener:
    """A transcription server: answers each request with the next of ``answers`` (the last for ever)."""

    url: str = ""
    answers: list[tuple[int, Any, dict[str, str]]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)

    def says(self, code: int, answer: Any, **headers: str) -> None:
        self.answers.append((code, answer, headers))

    def take(self) -> tuple[int, Any, dict[str, str]]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    monkeypatch.setattr(transcription_server, "FIRST_DELAY", 0.01)
    state = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            form = form_of(body, self.headers["Content-Type"])
            fields = {key: form[key].get_payload(decode=True).decode() for key in form if key not in ("None", "file")}
            state.requests.append(
                {
                    "path": self.path,
                    "token": self.headers["Authorization"],
                    "fields": fields,
                    "name": form["file"].get_filename(),
                    "data": form["file"].get_payload(decode=True),
                }
            )
            code, answer, headers = state.take()
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(code)
            for key, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def args(env: dict[str, Any], put: Make, wav: Make, low: Make, listener: Listener) -> dict[str, Any]:
    profile = {**env, "TRANSCRIBE_URL": listener.url, "TRANSCRIBE_MODEL": "whisper-large"}
    return {"env": profile, "voice_url": put(wav(low(1))), "case": 3}


def test_the_text_and_its_segments(args: dict[str, Any], listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_TOKEN", "sk-very-secret")
    listener.says(
        200,
        {
            "text": "안녕하세요. Hello.",
            "language": "korean",
            "segments": [
                {"id": 0, "start": 0.0, "end": 0.5, "text": " 안녕하세요."},
                {"id": 1, "start": 0.5, "end": 1.0, "text": " Hello."},
            ],
        },
    )
    args["env"] |= {"TRANSCRIBE_TOKEN_ENV": "LISTEN_TOKEN", "LANGUAGE": "ko"}
    done = transcript(args)
    assert done["transcript"] == "안녕하세요. Hello."
    assert done["language"] == "korean"
    assert done["case"] == 3
    assert done["segments"] == [
        {"start": 0.0, "end": 0.5, "text": "안녕하세요."},
        {"start": 0.5, "end": 1.0, "text": "Hello."},
    ]
    (request,) = listener.requests
    assert request["path"] == "/v1/audio/transcriptions"
    assert request["token"] == "Bearer sk-very-secret"
    assert request["fields"] == {"model": "whisper-large", "response_format": "verbose_json", "language": "ko"}
    assert seconds_of(request["data"]) == 1.0
    assert "sk-very-secret" not in json.dumps(done)


def test_an_answer_without_times_is_one_segment(args: dict[str, Any], listener: Listener) -> None:
    listener.says(200, {"text": " all of it "})
    args["env"] |= {"TRANSCRIBE_FORMAT": "json", "TRANSCRIBE_URL": listener.url + "/audio/transcriptions"}
    done = transcript(args)
    assert done["segments"] == [{"start": 0.0, "end": 1.0, "text": "all of it"}]
    assert done["transcript"] == "all of it"
    assert done["language"] is None
    assert listener.requests[0]["fields"]["response_format"] == "json"
    assert listener.requests[0]["token"] is None


def test_a_long_recording_goes_in_pieces_cut_where_it_is_quiet(
    args: dict[str, Any],
    listener: Listener,
    put: Make,
    wav: Make,
    low: Make,
    pause: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transcription, "PIECE_SECONDS", 4.0)
    sound = np.concatenate([low(3), pause(0.5), low(3.5, seed=9), pause(0.4), low(1, seed=2)])
    for word in ("one", "two", "three"):
        listener.says(200, {"text": word, "segments": [{"start": 0.25, "end": 1.0, "text": word}]})
    done = transcript({**args, "voice_url": put(wav(sound, "long.wav"))})
    lengths = [seconds_of(request["data"]) for request in listener.requests]
    assert sum(lengths) == pytest.approx(8.4, abs=1e-3), "nothing is lost between the pieces"
    assert 3.0 < lengths[0] < 3.5
    assert 7.0 < lengths[0] + lengths[1] < 7.4
    assert [segment["text"] for segment in done["segments"]] == ["one", "two", "three"]
    assert done["segments"][1]["start"] == pytest.approx(lengths[0] + 0.25, abs=1e-3)
    assert done["transcript"] == "one two three"


def test_what_is_no_voice_wav_is_sent_as_it_is(
    args: dict[str, Any], listener: Listener, put: Make, tmp_path: Path
) -> None:
    listener.says(200, {"text": "x"})
    path = tmp_path / 'a"b 한글.mp3'
    path.write_bytes(b"ID3 not really")
    transcript({**args, "voice_url": put(path)})
    assert listener.requests[0]["data"] == b"ID3 not really"


def test_a_busy_server_is_asked_again(args: dict[str, Any], listener: Listener) -> None:
    listener.says(429, {"error": "slow down"})
    listener.says(503, {"error": "starting"})
    listener.says(200, {"text": "at last"})
    assert transcript(args)["transcript"] == "at last"
    assert len(listener.requests) == 3


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (401, "TRANSCRIBE_TOKEN_ENV"),
        (403, "right to use"),
        (404, "/v1"),
        (400, "TRANSCRIBE_FORMAT"),
        (413, "in pieces"),
    ],
)
def test_a_refusal_is_told_once_with_a_remedy_and_without_the_token(
    args: dict[str, Any], listener: Listener, monkeypatch: pytest.MonkeyPatch, code: int, remedy: str
) -> None:
    monkeypatch.setenv("LISTEN_TOKEN", "sk-very-secret")
    listener.says(code, {"error": {"message": "bad key sk-very-secret"}})
    args["env"]["TRANSCRIBE_TOKEN_ENV"] = "LISTEN_TOKEN"
    with pytest.raises(RunError, match=f"HTTP {code}") as caught:
        transcript(args)
    assert remedy in caught.value.remedy
    assert "meeting/listen" in str(caught.value)
    assert "sk-very-secret" not in str(caught.value)
    assert len(listener.requests) == 1


def test_a_server_that_stays_broken_is_given_up(args: dict[str, Any], listener: Listener) -> None:
    listener.says(500, b"<html>oops</html>")
    with pytest.raises(RunError, match="HTTP 500: <html>oops"):
        transcript(args)
    assert len(listener.requests) == transcription_server.TRIES


def test_no_server_at_the_address(args: dict[str, Any], listener: Listener) -> None:
    args["env"]["TRANSCRIBE_URL"] = "http://127.0.0.1:9/v1"
    with pytest.raises(RunError, match="does not answer after 4 tries"):
        transcript(args)


@pytest.mark.parametrize("answer", [b"<html>login</html>", [1], {"hello": 1}])
def test_another_kind_of_server_is_recognised(args: dict[str, Any], listener: Listener, answer: Any) -> None:
    listener.says(200, answer)
    with pytest.raises(RunError, match="something else than a transcript"):
        transcript(args)


def test_a_redirect_does_not_carry_the_token_away(
    args: dict[str, Any], listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LISTEN_TOKEN", "sk-very-secret")
    listener.says(302, {}, Location=listener.url + "/elsewhere")
    args["env"]["TRANSCRIBE_TOKEN_ENV"] = "LISTEN_TOKEN"
    with pytest.raises(RunError, match="HTTP 302"):
        transcript(args)
    assert len(listener.requests) == 1


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"TRANSCRIBE_URL": ""}, "neither TRANSCRIBE_URL nor WHISPER_MODEL"),
        ({"TRANSCRIBE_URL": "ftp://x"}, "not an http or https address"),
        ({"TRANSCRIBE_TOKEN_ENV": "NEVER_SET_TOKEN"}, "NEVER_SET_TOKEN, named by TRANSCRIBE_TOKEN_ENV, is not set"),
        ({"TRANSCRIBE_TIMEOUT": "soon"}, "not a number of seconds"),
    ],
)
def test_a_wrong_profile_is_refused_before_anything_is_sent(
    args: dict[str, Any], listener: Listener, keys: dict[str, str], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        transcript({**args, "env": {**args["env"], **keys}})
    assert listener.requests == []


def test_the_token_is_in_no_repr() -> None:
    server = Server.of({"TRANSCRIBE_URL": "https://host/v1", "TRANSCRIBE_TOKEN": "sk-very-secret"}, "p/t")
    assert server.token == "sk-very-secret"
    assert "sk-very-secret" not in repr(server)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.binary(max_size=200),
    st.text("abc\"'; é한", max_size=9),
)
def test_a_form_comes_out_as_it_went_in(name: str, data: bytes, value: str) -> None:
    body, content_type = multipart({"model": value}, name, data)
    border = content_type.partition("boundary=")[2].encode()
    assert body.count(b"--" + border) == 3
    assert body.endswith(b"--" + border + b"--\r\n")
    model, file = body.split(b"--" + border)[1:3]
    assert model.partition(b"\r\n\r\n")[2] == value.encode() + b"\r\n"
    head, _, content = file.partition(b"\r\n\r\n")
    assert content == data + b"\r\n"
    assert head.count(b"\r\n") == 2
    assert head.count(b'"') == 4


def test_faster_whisper_in_the_image(args: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The real package needs a model of hundreds of megabytes; this one has its signature and no ears.
    (tmp_path / "faster_whisper.py").write_text(
        "from types import SimpleNamespace as N\n"
        "class WhisperModel:\n"
        "    def __init__(self, model_size_or_path, device='auto'):\n"
        "        if model_size_or_path == '/models/none': raise ValueError('no such model')\n"
        "        self.name, self.device = model_size_or_path, device\n"
        "    def transcribe(self, audio, language=None, vad_filter=False):\n"
        "        assert open(audio, 'rb').read(4) == b'RIFF' and vad_filter\n"
        "        return iter([N(start=0.0, end=1.0, text=f' {self.name} on {self.device} ')]), N(language='ko')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "faster_whisper", raising=False)
    env = {key: value for key, value in args["env"].items() if key != "TRANSCRIBE_URL"}
    done = transcript({**args, "env": {**env, "WHISPER_MODEL": "/models/small", "WHISPER_DEVICE": "cpu"}})
    assert done["transcript"] == "/models/small on cpu"
    assert done["language"] == "ko"
    with pytest.raises(RunError, match="'/models/none' failed: no such model"):
        transcript({**args, "env": {**env, "WHISPER_MODEL": "/models/none"}})
    sys.modules.pop("faster_whisper", None)


def test_without_faster_whisper_the_error_names_the_package(args: dict[str, Any]) -> None:
    env = {key: value for key, value in args["env"].items() if key != "TRANSCRIBE_URL"}
    with pytest.raises(RunError, match="faster-whisper"):
        transcript({**args, "env": {**env, "WHISPER_MODEL": "/models/small"}})
