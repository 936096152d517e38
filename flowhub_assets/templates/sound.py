"""Sound files: any recording to mono 16 kHz WAV by ffmpeg, and where in it somebody speaks."""

from __future__ import annotations

import os
import shutil
import subprocess
import wave
from collections.abc import Iterator
from typing import Any

from flowhub_assets.errors import InputError, RunError
from flowhub_assets.templates.libraries import library

#: What speech models are trained on: samples per second, one channel, 16 bits.
SAMPLE_RATE = 16_000

#: ffmpeg's names of the formats that hold their sound themselves. The others are playlists and scripts, which
#: name further files and addresses: a recording that somebody uploads must not read the machine's own.
FORMATS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,gsm,matroska,mov,mp3,mpc,mpc8,mpeg,mpegts,"
    "ogg,oma,rm,tak,tta,voc,w64,wav,webm,wv"
)
FRAME_SECONDS = 0.03
SILENT_DBFS = -60.0


def ffmpeg(template: str) -> str:
    """The ffmpeg program: the system's, else the one that imageio-ffmpeg ships. Raises RunError without either."""
    found = shutil.which("ffmpeg")
    if found:
        return found
    try:
        return str(library("imageio_ffmpeg", "imageio-ffmpeg", template).get_ffmpeg_exe())
    except RuntimeError as error:
        raise RunError(
            f"template.{template} needs ffmpeg, and imageio-ffmpeg has none for this machine: {error}",
            remedy="Install ffmpeg in the task's image: apt-get install ffmpeg.",
        ) from error


def to_voice(source: str, target: str, *, url: str, where: str, template: str) -> None:
    """Writes the first sound track of ``source`` (of a format in FORMATS) to ``target`` as mono 16 kHz WAV.

    Raises InputError, naming ``url``, for a file without sound or one that ffmpeg cannot read.
    """
    read = f"-protocol_whitelist file -format_whitelist {FORMATS}".split()
    write = f"-map 0:a:0 -vn -ac 1 -ar {SAMPLE_RATE} -c:a pcm_s16le -f wav".split()
    command = [ffmpeg(template), "-nostdin", "-hide_banner", "-loglevel", "error", "-y"]
    command += [*read, "-i", f"file:{os.path.abspath(source)}", *write, f"file:{os.path.abspath(target)}"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode == 0 and os.path.exists(target) and duration(target) > 0:
        return
    said = done.stderr.decode("utf-8", "replace").strip()
    if "matches no streams" in said or done.returncode == 0:
        raise InputError(
            f"{url} holds no sound",
            where=where,
            effect="There is no voice to take out of it.",
            remedy="Check the URL: is it a silent video, a picture or an empty recording?",
        )
    lines = [line.replace(f"file:{os.path.abspath(source)}", url) for line in said.splitlines()]
    raise InputError(
        f"{url} cannot be read as audio or video: {lines[-1] if lines else f'ffmpeg ended with {done.returncode}'}",
        where=where,
        effect="There is no voice to take out of it.",
        remedy="Play the file. If that fails too, it is damaged: upload it again.",
    )


def is_voice(path: str) -> bool:
    """Is the file what to_voice writes: mono, 16 kHz, 16-bit WAV?"""
    try:
        with wave.open(path, "rb") as sound:
            return (sound.getnchannels(), sound.getframerate(), sound.getsampwidth()) == (1, SAMPLE_RATE, 2)
    except (wave.Error, EOFError):
        return False


def duration(path: str) -> float:
    """Seconds of a WAV file."""
    with wave.open(path, "rb") as sound:
        return sound.getnframes() / sound.getframerate()


def samples(path: str, template: str) -> Any:
    """All of a mono 16-bit WAV as a numpy array of float32 between -1 and 1."""
    numpy = library("numpy", "numpy", template)
    with wave.open(path, "rb") as sound:
        return numpy.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2").astype(numpy.float32) / 32768.0


def speech_segments(path: str, template: str) -> list[dict[str, float]]:
    """Where a mono 16 kHz WAV is not silent: ``[{'start': seconds, 'end': seconds}, ...]`` in order of time.

    By energy alone, on frames of 30 ms: louder than a threshold between the recording's quiet (5th percentile)
    and loud (95th percentile) frames. Pauses under 0.3 s are bridged, sounds under 0.15 s dropped. Music
    and noise as loud as the voice count as speech.
    """
    numpy = library("numpy", "numpy", template)
    levels = numpy.concatenate([numpy.empty(0), *_levels(path, numpy)])
    if not len(levels):
        return []
    quiet, loud = (float(level) for level in numpy.percentile(levels, [5, 95]))
    if loud < SILENT_DBFS:
        return []
    # Without any pause the quiet frames are speech as well; with digital silence (-100 dB) they are far below
    # the room's noise, which 35 dB under the voice keeps out.
    threshold = loud - 20 if loud - quiet < 10 else max(quiet + 0.3 * (loud - quiet), loud - 35)
    return _stretches([bool(level > threshold) for level in levels], duration(path))


def _levels(path: str, numpy: Any) -> Iterator[Any]:
    frame = round(SAMPLE_RATE * FRAME_SECONDS)
    with wave.open(path, "rb") as sound:
        while True:
            block = numpy.frombuffer(sound.readframes(frame * 1000), dtype="<i2").astype(numpy.float64) / 32768.0
            whole = len(block) // frame
            if not whole:
                return
            power = (block[: whole * frame].reshape(whole, frame) ** 2).mean(axis=1)
            yield 10 * numpy.log10(numpy.maximum(power, 1e-10))


def _stretches(speaking: list[bool], end: float, bridge: float = 0.3, shortest: float = 0.15) -> list[dict[str, float]]:
    found: list[list[float]] = []
    for index, loud in enumerate(speaking):
        start, stop = index * FRAME_SECONDS, min((index + 1) * FRAME_SECONDS, end)
        if not loud:
            continue
        if found and start - found[-1][1] < bridge:
            found[-1][1] = stop
        else:
            found.append([start, stop])
    return [{"start": round(a, 2), "end": round(b, 2)} for a, b in found if b - a >= shortest]
