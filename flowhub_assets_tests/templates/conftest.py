"""Voices made by arithmetic: a pulse train through the resonances of a vocal tract."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import lfilter

RATE = 16_000
#: First three resonances of a, e, i, o, u in Hz (Peterson and Barney 1952, men).
VOWELS = [(730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240)]


def speak(seconds: float, pitch: float, tract: float, seed: int) -> Any:
    """A voice that runs through vowels of a quarter second, at a wandering pitch (Hz)."""
    chance = np.random.default_rng(seed)
    pieces = []
    for _ in range(max(1, round(seconds / 0.25))):
        size = RATE // 4
        melody = (
            pitch * (1 + 0.06 * chance.standard_normal()) * (1 + 0.03 * np.sin(np.arange(size) * 2 * np.pi * 5 / RATE))
        )
        pulses = np.diff(np.floor(np.cumsum(melody) / RATE), prepend=0.0)
        sound = lfilter([1.0], [1.0, -0.95], pulses) + 0.01 * chance.standard_normal(size)
        for hertz in VOWELS[chance.integers(len(VOWELS))]:
            radius = np.exp(-np.pi * 90 / RATE)
            angle = 2 * np.pi * hertz * tract / RATE
            sound = lfilter([1 - radius], [1.0, -2 * radius * np.cos(angle), radius**2], sound)
        pieces.append(sound / np.abs(sound).max() * np.hanning(size) ** 0.3)
    return np.concatenate(pieces)[: round(seconds * RATE)] * 0.5


def write_wav(path: Path, sound: Any, rate: int = RATE, channels: int = 1, noise: float = 0.0005) -> Path:
    noisy = np.asarray(sound) + noise * np.random.default_rng(7).standard_normal(len(sound))
    data = np.repeat((np.clip(noisy, -1, 1) * 32767).astype("<i2"), channels)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(data.tobytes())
    return path


@pytest.fixture
def env(tmp_path: Path) -> dict[str, Any]:
    return {"WORKSPACE": str(tmp_path / "store"), "project": "meeting", "run_id": "r1", "task": "listen"}


@pytest.fixture
def put(env: dict[str, Any]) -> Callable[[Path], str]:
    """Puts a file into the storage of ``env`` and gives its URL."""
    from flowhub_assets.runtime.storage import get_storage

    return lambda path: get_storage(env).upload(str(path))


@pytest.fixture
def low() -> Callable[..., Any]:
    return lambda seconds, seed=1: speak(seconds, 105.0, 1.0, seed)


@pytest.fixture
def high() -> Callable[..., Any]:
    return lambda seconds, seed=2: speak(seconds, 215.0, 1.17, seed)


@pytest.fixture
def pause() -> Callable[[float], Any]:
    return lambda seconds: np.zeros(round(seconds * RATE))


@pytest.fixture
def wav(tmp_path: Path) -> Callable[..., Path]:
    return lambda sound, name="voice.wav", **how: write_wav(tmp_path / name, sound, **how)
