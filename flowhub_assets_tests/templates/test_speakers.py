"""template.analyze_speaker on voices whose turns are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from flowhub_assets.errors import InputError
from flowhub_assets.templates import analyze_speaker

Make = Callable[..., Any]


@pytest.fixture
def talk(low: Make, high: Make, pause: Make) -> Any:
    """low 0-4, high 4.6-7.6, low 8.1-13.1 and at once high 13.1-16.1."""
    return np.concatenate([low(4), pause(0.6), high(3), pause(0.5), low(5, seed=3), high(3, seed=4)])


def test_two_voices_are_told_apart_without_being_counted(env: dict[str, Any], put: Make, wav: Make, talk: Any) -> None:
    done = analyze_speaker({"env": env, "voice_url": put(wav(talk)), "case": "a"})
    assert done["case"] == "a"
    assert [turn["speaker"] for turn in done["turns"]] == ["S1", "S2", "S1", "S2"]
    edges = [edge for turn in done["turns"] for edge in (turn["start"], turn["end"])]
    assert edges == pytest.approx([0, 4, 4.6, 7.6, 8.1, 13.1, 13.1, 16.1], abs=0.5)
    first, second = done["speakers"]
    assert (first["label"], first["turns"], second["label"], second["turns"]) == ("S1", 2, "S2", 2)
    assert first["share"] == pytest.approx(0.6, abs=0.04)
    assert first["share"] + second["share"] == pytest.approx(1.0)
    assert first["seconds"] == pytest.approx(9.0, abs=0.6)


def test_one_voice_is_one_speaker(env: dict[str, Any], put: Make, wav: Make, high: Make, pause: Make) -> None:
    sound = np.concatenate([high(6), pause(0.6), high(5, seed=8)])
    done = analyze_speaker({"env": env, "voice_url": put(wav(sound))})
    assert [speaker["label"] for speaker in done["speakers"]] == ["S1"]
    assert done["speakers"][0]["share"] == 1.0


def test_a_given_number_of_speakers_is_kept(env: dict[str, Any], put: Make, wav: Make, talk: Any) -> None:
    url = put(wav(talk))
    assert len(analyze_speaker({"env": env, "voice_url": url, "speaker_count": 3})["speakers"]) == 3
    assert len(analyze_speaker({"env": env, "voice_url": url, "speaker_count": 1})["speakers"]) == 1
    assert len(analyze_speaker({"env": env, "voice_url": url, "max_speakers": 1})["speakers"]) == 1


def test_the_words_of_a_transcript_get_their_speaker(env: dict[str, Any], put: Make, wav: Make, talk: Any) -> None:
    segments = [
        {"start": 0.0, "end": 2.0, "text": "안녕하세요"},
        {"start": 2.0, "end": 3.2, "text": "하나"},
        # Its first second is still the other's.
        {"start": 3.2, "end": 7.6, "text": "and you?"},
        {"start": 8.1, "end": 13.0, "text": "fine"},
        {"start": 13.2, "end": 16.1, "text": "good"},
    ]
    done = analyze_speaker({"env": env, "voice_url": put(wav(talk)), "segments": segments})
    assert [(turn["speaker"], turn["text"]) for turn in done["turns"]] == [
        ("S1", "안녕하세요 하나"),
        ("S2", "and you?"),
        ("S1", "fine"),
        ("S2", "good"),
    ]
    assert done["segments"] == segments


def test_another_format_than_voice_is_converted(env: dict[str, Any], put: Make, wav: Make, talk: Any) -> None:
    url = put(wav(talk, rate=16_000, channels=2))
    assert len(analyze_speaker({"env": env, "voice_url": url})["speakers"]) == 2


def test_silence_has_no_speakers(env: dict[str, Any], put: Make, wav: Make, pause: Make) -> None:
    done = analyze_speaker({"env": env, "voice_url": put(wav(pause(2)))})
    assert (done["speakers"], done["turns"]) == ([], [])


@pytest.mark.parametrize("length", [0.05, 0.12, 0.3, 1.3])
def test_very_short_sounds_do_no_harm(env: dict[str, Any], put: Make, wav: Make, low: Make, length: float) -> None:
    done = analyze_speaker(
        {"env": env, "voice_url": put(wav(low(1)[: int(length * 16_000)])), "segments": [{"start": 0, "end": 9.0}]}
    )
    assert len(done["speakers"]) == (0 if length < 0.1 else 1)


@pytest.mark.parametrize("count", [0, -1, "two", True, 1.5])
def test_a_wrong_number_of_speakers_is_refused(
    env: dict[str, Any], put: Make, wav: Make, low: Make, count: Any
) -> None:
    with pytest.raises(InputError, match=r"args\['speaker_count'\] is .*not a number of speakers"):
        analyze_speaker({"env": env, "voice_url": put(wav(low(1))), "speaker_count": count})


@pytest.mark.parametrize("segments", ["all", [{"start": 1}], [{"start": "x", "end": 2}], [3]])
def test_wrong_segments_are_refused(env: dict[str, Any], put: Make, wav: Make, low: Make, segments: Any) -> None:
    with pytest.raises(InputError, match=r"args\['segments'\] is not a list of"):
        analyze_speaker({"env": env, "voice_url": put(wav(low(1))), "segments": segments})
