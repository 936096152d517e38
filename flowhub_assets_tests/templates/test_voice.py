"""template.extract_voice with a real ffmpeg, on sound made here."""

from __future__ import annotations

import subprocess
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowhub_assets.errors import InputError
from flowhub_assets.runtime.storage import get_storage
from flowhub_assets.templates import extract_voice
from flowhub_assets.templates.sound import ffmpeg, is_voice, speech_segments

Make = Callable[..., Any]


def make(path: Path, *options: str) -> Path:
    subprocess.run(
        [ffmpeg("test"), "-nostdin", "-loglevel", "error", "-y", *options, str(path)], check=True, timeout=60
    )
    return path


def test_the_sound_of_a_video_becomes_mono_16_khz(env: dict[str, Any], put: Make, tmp_path: Path) -> None:
    video = make(
        tmp_path / "interview.mp4",
        *("-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=2"),
        *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=2", "-ac", "2", "-c:v", "mpeg4"),
    )
    done = extract_voice({"env": env, "video_url": put(video), "case": 7})
    assert done["case"] == 7
    assert done["duration"] == pytest.approx(2.0, abs=0.1)
    assert done["voice_url"].endswith("meeting/r1/listen/interview-voice.wav")
    voice = get_storage(env).download(done["voice_url"], str(tmp_path / "out"))
    assert is_voice(voice)
    with wave.open(voice) as sound:
        heights = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    spectrum = np.abs(np.fft.rfft(heights))
    assert np.fft.rfftfreq(len(heights), 1 / 16_000)[spectrum.argmax()] == pytest.approx(440, abs=2)


@pytest.mark.parametrize("ending", ["mp3", "flac", "ogg", "wav"])
def test_audio_of_any_kind(env: dict[str, Any], put: Make, tmp_path: Path, ending: str) -> None:
    sound = make(tmp_path / f"call.{ending}", "-f", "lavfi", "-i", "sine=frequency=200:duration=1")
    assert extract_voice({"env": env, "audio_url": put(sound)})["duration"] == pytest.approx(1.0, abs=0.1)


def test_speech_is_found_on_request(env: dict[str, Any], put: Make, low: Make, pause: Make, wav: Make) -> None:
    sound = np.concatenate([pause(1), low(2), pause(0.8), low(1.5, seed=5), pause(1)])
    done = extract_voice({"env": env, "input_url": put(wav(sound)), "find_speech": True})
    (first, second) = done["speech_segments"]
    assert [first["start"], first["end"]] == pytest.approx([1.0, 3.0], abs=0.1)
    assert [second["start"], second["end"]] == pytest.approx([3.8, 5.3], abs=0.1)
    assert "speech_segments" not in extract_voice({"env": env, "input_url": put(wav(sound))})


def test_silence_has_no_speech_and_an_unbroken_voice_is_one_segment(low: Make, pause: Make, wav: Make) -> None:
    assert speech_segments(str(wav(pause(2))), "test") == []
    assert speech_segments(str(wav(pause(0), "empty.wav")), "test") == []
    (only,) = speech_segments(str(wav(low(3), "long.wav")), "test")
    assert only["start"] < 0.1
    assert only["end"] > 2.9


def test_quiet_recordings_count_like_loud_ones(low: Make, pause: Make, wav: Make) -> None:
    sound = np.concatenate([pause(1), low(2) * 0.1, pause(1)])
    (only,) = speech_segments(str(wav(sound)), "test")
    assert [only["start"], only["end"]] == pytest.approx([1.0, 3.0], abs=0.15)


def test_the_hum_of_a_room_is_no_speech_where_the_recording_was_also_switched_off(
    low: Make, pause: Make, wav: Make
) -> None:
    hum = 0.002 * np.sin(np.arange(32_000) * 0.1)
    sound = np.concatenate([pause(2), hum, low(3), hum])
    (only,) = speech_segments(str(wav(sound, noise=0.0)), "test")
    assert [only["start"], only["end"]] == pytest.approx([4.0, 7.0], abs=0.1)


def test_a_silent_film_has_no_sound(env: dict[str, Any], put: Make, tmp_path: Path) -> None:
    film = make(tmp_path / "film.mp4", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=5:duration=1", "-c:v", "mpeg4")
    with pytest.raises(InputError, match=r"film\.mp4 holds no sound"):
        extract_voice({"env": env, "video_url": put(film)})


@pytest.mark.parametrize("content", [b"", b"not a film at all " * 50, b"RIFF\x00\x00\x00\x00WAVEfmt "])
def test_what_ffmpeg_cannot_read_is_refused(env: dict[str, Any], put: Make, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.wav"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"odd\.wav") as caught:
        extract_voice({"env": env, "input_url": put(path)})
    assert "flowhub-" not in str(caught.value), "the temporary folder is nobody's business"


def test_a_playlist_cannot_make_ffmpeg_read_another_file(env: dict[str, Any], put: Make, tmp_path: Path) -> None:
    other = make(tmp_path / "private.aac", "-f", "lavfi", "-i", "sine=frequency=200:duration=1")
    path = tmp_path / "list.m3u8"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{other}\n#EXT-X-ENDLIST\n")
    with pytest.raises(InputError, match=r"list\.m3u8 cannot be read as audio or video"):
        extract_voice({"env": env, "input_url": put(path)})
