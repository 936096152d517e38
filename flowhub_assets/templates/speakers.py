"""template.analyze_speaker: who speaks when in a recording."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from flowhub_assets.errors import InputError
from flowhub_assets.runtime.storage import get_storage
from flowhub_assets.templates.files import env_of, input_url, place
from flowhub_assets.templates.libraries import library
from flowhub_assets.templates.sound import SAMPLE_RATE, is_voice, samples, speech_segments, to_voice
from flowhub_assets.templates.voiceprint import Voiceprinter

#: Seconds of sound that one decision rests on, and how far apart two decisions lie.
WINDOW, STEP = 1.2, 0.4
#: Clustering compares each window with every other: memory grows with the square.
MOST_WINDOWS = 3000
#: Below this silhouette the best split of the windows is no better than cutting one voice in two.
ONE_VOICE = 0.4

#: Octaves by which the pitch of one voice wanders from window to window.
PITCH_SPREAD = 0.1

Segment = dict[str, Any]


def analyze_speaker(args: dict[str, Any]) -> dict[str, Any]:
    """Tells the speakers in ``args['voice_url']`` (or ``'audio_url'``, ``'input_url'``) apart.

    Also takes, if there: ``segments`` of template.transcript (start, end, text) or ``speech_segments`` of
    template.extract_voice (else silence is found by energy); ``speaker_count``, the number of speakers (else
    estimated, ``max_speakers`` at most, 6 by default).

    Adds to args:
        speakers: list of {'label': 'S1', 'seconds', 'share' of all speaking time (0 to 1), 'turns'}, in the
            order in which they are first heard
        turns: list of {'start', 'end', 'speaker'} in seconds, in order of time; with 'text' where segments
            had it

    How: the mel cepstrum and the pitch of windows of 1.2 s are clustered (agglomerative, Ward); the number of
    speakers is that of the best silhouette. Limits: it knows no names and remembers no voice from one file to
    the next; two people who speak at once are one of them; turns under a second are lost; alike voices fall
    together, and one voice over two microphones may fall apart. Trained speaker embeddings do better; this
    needs numpy, scipy and scikit-learn, and no model. Raises InputError for a wrong speaker_count or segments.
    """
    url = input_url(args, ("voice_url", "audio_url", "input_url"), "analyze_speaker")
    count = _number(args, "speaker_count", None)
    most = _number(args, "max_speakers", 6)
    with tempfile.TemporaryDirectory(prefix="flowhub-") as folder:
        path = get_storage(env_of(args)).download(url, folder)
        if not is_voice(path):
            path, source = os.path.join(folder, "flowhub-voice.wav"), path
            to_voice(source, path, url=url, where=place(args), template="analyze_speaker")
        segments = _segments(args) or speech_segments(path, "analyze_speaker")
        sound = samples(path, "analyze_speaker")
    windows = _windows(segments, len(sound) / SAMPLE_RATE)
    labels = _labels([sound[round(a * SAMPLE_RATE) : round(b * SAMPLE_RATE)] for a, b, _ in windows], count, most or 6)
    turns = _turns(segments, windows, _steady(windows, labels))
    return {**args, "speakers": _shares(turns), "turns": turns}


def _number(args: dict[str, Any], key: str, default: int | None) -> int | None:
    value = args.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(
            f"args[{key!r}] is {value!r}, not a number of speakers",
            where=place(args),
            remedy=f"Give a whole number from 1 on, or leave {key} out.",
        )
    return value


def _segments(args: dict[str, Any]) -> list[Segment]:
    for key in ("segments", "speech_segments"):
        found = args.get(key)
        if not found:
            continue
        try:
            return [{**part, "start": float(part["start"]), "end": float(part["end"])} for part in found]
        except (TypeError, KeyError, ValueError):
            raise InputError(
                f"args[{key!r}] is not a list of {{'start': seconds, 'end': seconds}}",
                where=place(args),
                remedy=f"Take it from template.transcript or template.extract_voice, or leave {key} out.",
            ) from None
    return []


def _windows(segments: list[Segment], length: float) -> list[tuple[float, float, int]]:
    """(start, end, index of its segment) of each window; as many as fit, one at least, per segment."""
    spoken = sum(max(0.0, segment["end"] - segment["start"]) for segment in segments)
    step = max(STEP, spoken / MOST_WINDOWS)
    windows = []
    for index, segment in enumerate(segments):
        start, end = max(0.0, segment["start"]), min(segment["end"], length)
        while end - start >= 0.1:
            windows.append((start, min(start + WINDOW, end), index))
            if start + WINDOW >= end:
                break
            start = min(start + step, end - WINDOW)
    return windows


def _labels(stretches: list[Any], count: int | None, most: int) -> list[int]:
    """The speaker of each stretch of samples, numbered from 0."""
    if len(stretches) < 2 or count == 1:
        return [0] * len(stretches)
    printer = Voiceprinter("analyze_speaker")
    np = printer.numpy
    prints = np.array([printer.print_of(stretch) for stretch in stretches])
    pitch = prints[:, -1]
    pitch[np.isnan(pitch)] = np.nanmedian(pitch) if not np.isnan(pitch).all() else 0.0
    scaler = library("sklearn.preprocessing", "scikit-learn", "analyze_speaker").StandardScaler()
    # The timbre is scaled by its own spread. The pitch is not: an octave is two voices, a tenth of one is melody.
    prints = np.column_stack([scaler.fit_transform(prints[:, :-1]), (pitch - pitch.mean()) / PITCH_SPREAD])
    cluster = library("sklearn.cluster", "scikit-learn", "analyze_speaker").AgglomerativeClustering
    if count is not None:
        return _plain(cluster(n_clusters=min(count, len(prints))).fit_predict(prints))
    silhouette = library("sklearn.metrics", "scikit-learn", "analyze_speaker").silhouette_score
    best, best_score = [0] * len(prints), ONE_VOICE
    for number in range(2, min(most, len(prints) - 1) + 1):
        labels = cluster(n_clusters=number).fit_predict(prints)
        score = float(silhouette(prints, labels))
        if score > best_score:
            best, best_score = _plain(labels), score
    return best


def _plain(labels: Any) -> list[int]:
    return [int(label) for label in labels]


def _steady(windows: list[tuple[float, float, int]], labels: list[int]) -> list[int]:
    """Gives a single window between two of another speaker, in one segment, to that speaker."""
    steady = list(labels)
    for at in range(1, len(labels) - 1):
        together = windows[at - 1][2] == windows[at][2] == windows[at + 1][2]
        if together and steady[at - 1] == labels[at + 1]:
            steady[at] = labels[at + 1]
    return steady


def _turns(segments: list[Segment], windows: list[tuple[float, float, int]], labels: list[int]) -> list[Segment]:
    """One turn for each segment with text, by majority; others are cut where the label of the windows changes."""
    pieces: list[tuple[float, float, int, str]] = []
    for index, segment in enumerate(segments):
        own = [(*windows[at][:2], label) for at, label in enumerate(labels) if windows[at][2] == index]
        if not own:
            continue
        if "text" in segment:
            heard = [label for _, _, label in own]
            pieces.append((segment["start"], segment["end"], max(heard, key=heard.count), str(segment["text"])))
            continue
        start = own[0][0]
        for at, (next_start, next_end, next_label) in enumerate(own[1:]):
            a, b, label = own[at]
            if label != next_label:
                middle = (a + b + next_start + next_end) / 4
                pieces.append((start, middle, label, ""))
                start = middle
        pieces.append((start, own[-1][1], own[-1][2], ""))
    names: dict[int, str] = {}
    turns: list[Segment] = []
    for start, end, label, text in pieces:
        name = names.setdefault(label, f"S{len(names) + 1}")
        if turns and turns[-1]["speaker"] == name and start - turns[-1]["end"] < 1.0:
            turns[-1]["end"] = round(end, 2)
        else:
            turns.append({"start": round(start, 2), "end": round(end, 2), "speaker": name})
        if text:
            turns[-1]["text"] = f"{turns[-1]['text']} {text}" if "text" in turns[-1] else text
    return turns


def _shares(turns: list[Segment]) -> list[dict[str, Any]]:
    everything = sum(turn["end"] - turn["start"] for turn in turns)
    shares = []
    for label in dict.fromkeys(turn["speaker"] for turn in turns):
        own = [turn["end"] - turn["start"] for turn in turns if turn["speaker"] == label]
        share = round(sum(own) / everything, 4) if everything else 0.0
        shares.append({"label": label, "seconds": round(sum(own), 2), "share": share, "turns": len(own)})
    return shares
