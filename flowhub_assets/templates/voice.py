"""template.extract_voice: the sound track of a recording, as speech models want it."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from flowhub_assets.runtime.storage import get_storage
from flowhub_assets.templates.files import env_of, input_url, place
from flowhub_assets.templates.sound import duration, speech_segments, to_voice


def extract_voice(args: dict[str, Any]) -> dict[str, Any]:
    """Takes the sound out of the audio or video file at ``args['video_url']``, ``'audio_url'`` or ``'input_url'``.

    Adds to args:
        voice_url: str, a mono 16 kHz 16-bit WAV in the storage, under the run and the task
        duration: float, seconds
        speech_segments: list of {'start', 'end'} in seconds where it is not silent; only with
            ``args['find_speech']`` true, by energy (numpy)

    Needs ffmpeg: the system's or that of the package imageio-ffmpeg. Of several sound tracks the first is taken.
    Raises InputError for a file without sound, or one that cannot be read.
    """
    url = input_url(args, ("video_url", "audio_url", "input_url"), "extract_voice")
    storage = get_storage(env_of(args))
    with tempfile.TemporaryDirectory(prefix="flowhub-") as folder:
        source = storage.download(url, os.path.join(folder, "in"))
        stem = os.path.splitext(os.path.basename(source))[0] or "voice"
        # Not the name of the source, which a WAV uploaded by this same task would lose its place to.
        target = os.path.join(folder, f"{stem}-voice.wav")
        to_voice(source, target, url=url, where=place(args), template="extract_voice")
        added = {
            "voice_url": storage.upload(target),
            "duration": round(duration(target), 3),
        }
        if args.get("find_speech"):
            added["speech_segments"] = speech_segments(target, "extract_voice")
    return {**args, **added}
