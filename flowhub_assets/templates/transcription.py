"""template.transcript: what is said in a recording."""

from __future__ import annotations

import array
import io
import os
import sys
import tempfile
import wave
from collections.abc import Iterator
from typing import Any

from flowhub_assets.errors import InputError, RunError
from flowhub_assets.runtime.storage import get_storage
from flowhub_assets.templates.files import env_of, input_url, place
from flowhub_assets.templates.libraries import library
from flowhub_assets.templates.sound import SAMPLE_RATE, is_voice
from flowhub_assets.templates.transcription_server import Server

#: A piece of this many seconds of 16 kHz WAV has 19 MB; OpenAI's servers take 25 MB at most.
PIECE_SECONDS = 600.0


def transcript(args: dict[str, Any]) -> dict[str, Any]:
    """Writes down what is said in ``args['voice_url']`` (or ``'audio_url'``, ``'input_url'``).

    Adds to args:
        transcript: str, all that is said
        segments: list of {'start', 'end', 'text'}, times in seconds
        language: str, as the model names it, or None if it does not say

    The profile says who does it. Either a server that speaks OpenAI's POST /audio/transcriptions:
        TRANSCRIBE_URL: its base, 'https://host/v1', or the whole address of the endpoint
        TRANSCRIBE_MODEL: default 'whisper-1'
        TRANSCRIBE_TOKEN_ENV: name of the environment variable that holds the token; none is sent without it
        TRANSCRIBE_FORMAT: 'verbose_json' (default), or 'json' for models that give no times
        TRANSCRIBE_TIMEOUT: seconds for one request, default 600
    or faster-whisper in the task's own image:
        WHISPER_MODEL: a model's folder or name
        WHISPER_DEVICE: 'auto' (default), 'cpu' or 'cuda'
    With either, LANGUAGE ('ko', 'en') spares the model to guess; ``args['language']`` goes before it.

    A long WAV is sent in pieces of ten minutes, cut where it is quiet. Raises InputError without either of the
    two, RunError when the server refuses or does not answer.
    """
    url = input_url(args, ("voice_url", "audio_url", "input_url"), "transcript")
    env = env_of(args)
    language = args.get("language") or env.get("LANGUAGE")
    if not env.get("TRANSCRIBE_URL") and not env.get("WHISPER_MODEL"):
        raise InputError(
            "the profile has neither TRANSCRIBE_URL nor WHISPER_MODEL",
            where=place(args),
            effect="template.transcript has nobody who could listen.",
            remedy="Put into the flow's env profile 'TRANSCRIBE_URL': 'https://host/v1' (an OpenAI-compatible server) "
            "or 'WHISPER_MODEL': '/models/whisper-small' (faster-whisper in the task's image).",
        )
    server = Server.of(env, place(args)) if env.get("TRANSCRIBE_URL") else None
    with tempfile.TemporaryDirectory(prefix="flowhub-") as folder:
        path = get_storage(env).download(url, folder)
        if server is None:
            segments, heard = _by_faster_whisper(path, env, language, place(args))
        else:
            segments, heard = _by_server(server, path, language)
    text = " ".join(segment["text"] for segment in segments if segment["text"])
    return {**args, "transcript": text, "segments": segments, "language": heard or language}


Segments = list[dict[str, Any]]


def _by_server(server: Server, path: str, language: str | None) -> tuple[Segments, str | None]:
    segments: Segments = []
    heard: str | None = None
    for start, seconds, name, data in _pieces(path):
        answer = server.transcribe(name, data, language)
        found = answer.get("segments") or [{"start": 0.0, "end": seconds, "text": answer.get("text", "")}]
        heard = heard or answer.get("language")
        segments += [_segment(part, start) for part in found]
    return segments, heard


def _segment(part: dict[str, Any], offset: float) -> dict[str, Any]:
    return {
        "start": round(offset + float(part.get("start") or 0.0), 3),
        "end": round(offset + float(part.get("end") or 0.0), 3),
        "text": str(part.get("text") or "").strip(),
    }


def _pieces(path: str) -> Iterator[tuple[float, float, str, bytes]]:
    """The recording as (start in seconds, length in seconds, file name, content of the file)."""
    name = os.path.basename(path)
    if not is_voice(path):
        with open(path, "rb") as file:
            yield 0.0, 0.0, name, file.read()
        return
    with wave.open(path, "rb") as sound:
        total, position = sound.getnframes(), 0
        while position < total:
            end = _quiet_place(sound, position, total)
            sound.setpos(position)
            frames = sound.readframes(end - position)
            piece = io.BytesIO()
            with wave.open(piece, "wb") as out:
                out.setparams(sound.getparams())
                out.writeframes(frames)
            yield position / SAMPLE_RATE, (end - position) / SAMPLE_RATE, name, piece.getvalue()
            position = end


def _quiet_place(sound: wave.Wave_read, start: int, total: int) -> int:
    """Where the piece from ``start`` ends: in the quietest 0.1 s of its last ten seconds."""
    limit = start + int(PIECE_SECONDS * SAMPLE_RATE)
    if limit >= total:
        return total
    frame = SAMPLE_RATE // 10
    count = min(100, int(PIECE_SECONDS * SAMPLE_RATE) // frame // 2)
    first = limit - count * frame
    sound.setpos(first)
    heights = array.array("h", sound.readframes(count * frame))
    if sys.byteorder == "big":
        heights.byteswap()
    loudness = [sum(map(abs, heights[at * frame : (at + 1) * frame])) for at in range(count)]
    # The last of equally quiet places, so that a silent recording is cut into as few pieces as can be.
    quietest = min(range(count), key=lambda at: (loudness[at], -at))
    return first + quietest * frame + frame // 2


def _by_faster_whisper(path: str, env: Any, language: str | None, where: str) -> tuple[Segments, str | None]:
    whisper = library("faster_whisper", "faster-whisper", "transcript")
    try:
        model = whisper.WhisperModel(str(env["WHISPER_MODEL"]), device=str(env.get("WHISPER_DEVICE") or "auto"))
        parts, info = model.transcribe(path, language=language, vad_filter=True)
        segments = [_segment({"start": part.start, "end": part.end, "text": part.text}, 0.0) for part in parts]
    except (RuntimeError, ValueError, OSError) as error:
        raise RunError(
            f"faster-whisper with WHISPER_MODEL {env['WHISPER_MODEL']!r} failed: {error}",
            where=where,
            effect="The recording was not written down.",
            remedy="Is the model's folder mounted into the task, and does WHISPER_DEVICE fit the machine?",
        ) from error
    return segments, info.language
