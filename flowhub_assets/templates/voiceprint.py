"""What a stretch of speech sounds like, as a vector: timbre (mel cepstrum) and pitch."""

from __future__ import annotations

from typing import Any

from flowhub_assets.templates.libraries import library
from flowhub_assets.templates.sound import SAMPLE_RATE

FRAME = SAMPLE_RATE * 25 // 1000
HOP = SAMPLE_RATE * 10 // 1000
FFT = 1024
MEL_BANDS = 32
COEFFICIENTS = 16
LOWEST_PITCH, HIGHEST_PITCH = 65.0, 400.0
#: An autocorrelation peak lower than this is no voiced sound.
VOICED = 0.35


class Voiceprinter:
    """Makes vectors of samples; holds the mel filters, which are the same for every stretch."""

    def __init__(self, template: str) -> None:
        self.numpy = library("numpy", "numpy", template)
        self.dct = library("scipy.fft", "scipy", template).dct
        self.filters = _mel_filters(self.numpy)

    def print_of(self, stretch: Any) -> Any:
        """The vector of a stretch of float samples at 16 kHz: the mean of 15 cepstral coefficients over
        its louder frames, and their median pitch as log2 of Hz (nan if none is voiced).
        """
        np = self.numpy
        frames = _frames(np, stretch)
        power = np.abs(np.fft.rfft(frames * np.hanning(FRAME), FFT)) ** 2
        energy = power.sum(axis=1)
        loud = energy >= np.percentile(energy, 30)
        bands = np.log(power[loud] @ self.filters.T + 1e-10)
        # Coefficient 0 is loudness: how far the speaker sits from the microphone, not who it is.
        cepstrum = self.dct(bands, norm="ortho", axis=1)[:, 1:COEFFICIENTS]
        return np.append(cepstrum.mean(axis=0), self.pitch(frames[loud]))

    def pitch(self, frames: Any) -> float:
        """Median pitch of frames (one a row) as log2 of Hz; nan if none is voiced."""
        np = self.numpy
        spectrum = np.fft.rfft(frames - frames.mean(axis=1, keepdims=True), FFT)
        correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:, : FRAME - 1]
        # A lag of n compares FRAME - n samples only; without the correction low voices seem unvoiced.
        correlation = correlation / (correlation[:, :1] + 1e-12) * (FRAME / (FRAME - np.arange(FRAME - 1)))
        first, last = int(SAMPLE_RATE / HIGHEST_PITCH), int(SAMPLE_RATE / LOWEST_PITCH)
        lags = correlation[:, first:last]
        best = lags.max(axis=1)
        # Multiples of the period correlate as well: the shortest lag near the maximum is the period.
        lag = (lags >= 0.9 * best[:, None]).argmax(axis=1) + first
        voiced = best > VOICED
        return float(np.median(np.log2(SAMPLE_RATE / lag[voiced]))) if voiced.any() else float("nan")


def _frames(np: Any, stretch: Any) -> Any:
    emphasised = np.append(stretch[:1], stretch[1:] - 0.97 * stretch[:-1])
    if len(emphasised) < FRAME:
        emphasised = np.pad(emphasised, (0, FRAME - len(emphasised)))
    return np.lib.stride_tricks.sliding_window_view(emphasised, FRAME)[::HOP]


def _mel_filters(np: Any) -> Any:
    """Triangular filters, evenly spaced on the mel scale (O'Shaughnessy 1987) from 60 Hz to 7.6 kHz."""
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (60.0, 7600.0))
    edges = 700 * (10 ** (np.linspace(low, high, MEL_BANDS + 2) / 2595) - 1)
    frequencies = np.fft.rfftfreq(FFT, 1 / SAMPLE_RATE)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequencies - left) / (centre - left), (right - frequencies) / (right - centre)
    return np.maximum(0.0, np.minimum(rising, falling))
