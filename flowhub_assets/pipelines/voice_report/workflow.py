"""Two voices made by arithmetic, told apart by a template; the middle task asks for a GPU node of a cluster."""

import io
import tempfile
import wave
from pathlib import Path

from flowhub import Toleration, Volume, VolumeMount, flow, get_storage, show, task, template

RATE = 16_000
COLOURS = ["#4C6EF5", "#E64980", "#12B886", "#F59F00"]


@task(cpu="250m", memory="512Mi")
def record_talk(args):
    """Makes a talk of two voices, a low and a high one, that take turns; no microphone needed.

    Each is a train of pulses (the vocal cords) through three resonances (the mouth), as in the vowel of 'car'.
    """
    import numpy

    env = args["env"]
    parts = []
    for turn in range(args["turn_count"]):
        low = turn % 2 == 0
        parts += [make_voice(pitch=105 if low else 210, tract=1.0 if low else 1.18, seconds=3), numpy.zeros(RATE // 2)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "talk.wav"
        with wave.open(str(path), "wb") as sound:
            sound.setparams((1, 2, RATE, 0, "NONE", ""))
            sound.writeframes((numpy.concatenate(parts) * 20_000).astype("<i2").tobytes())
        return {**args, "voice_url": get_storage(env).upload(path)}


@task(
    image="my-registry/analyze-speaker:v1",
    cpu="2",
    memory="4Gi",
    gpu="1",
    tolerations=[Toleration(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule")],
    node_selector={"karpenter.sh/nodepool": "gpu-nodepool"},
    volume_mounts=[VolumeMount(name="model-cache", mount_path="/var/cache/models"), VolumeMount("scratch", "/scratch")],
    pool="gpu",
    priority=10,
    retries=2,
    retry_delay=30,
    timeout=1800,
)
def tell_speakers(args):
    """Finds out who speaks when. On a cluster it runs on a GPU node; on a laptop it runs where it is."""
    done = template.analyze_speaker(args)
    show("turns", done["turns"])
    return done


@task(cpu="500m", memory="512Mi")
def report(args):
    """Draws the recording, coloured by speaker, and says who spoke for how long."""
    import numpy
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    env = args["env"]
    with wave.open(io.BytesIO(get_storage(env).read(args["voice_url"]))) as sound:
        heights = numpy.frombuffer(sound.readframes(sound.getnframes()), "<i2") / 32768
    figure = Figure(figsize=(10, 2.6), dpi=110, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    step = RATE // 100
    loudness = numpy.abs(heights[: len(heights) // step * step]).reshape(-1, step).max(axis=1)
    seconds = numpy.arange(len(loudness)) / 100
    axes.fill_between(seconds, -loudness, loudness, color="#DEE2E6", linewidth=0)
    labels = [speaker["label"] for speaker in args["speakers"]]
    for turn in args["turns"]:
        own = (seconds >= turn["start"]) & (seconds <= turn["end"])
        colour = COLOURS[labels.index(turn["speaker"]) % len(COLOURS)]
        axes.fill_between(seconds[own], -loudness[own], loudness[own], color=colour, linewidth=0)
        axes.text(turn["start"], loudness.max() * 1.1, turn["speaker"], color=colour, weight="bold", fontsize=10)
    axes.set_yticks([])
    axes.set_xlabel("seconds", color="#868E96")
    axes.tick_params(length=0, labelcolor="#868E96")
    axes.margins(x=0)
    axes.spines[:].set_visible(False)
    show("who speaks when", figure)
    show("speakers", args["speakers"])
    return {"speakers": args["speakers"], "turns": args["turns"]}


def make_voice(pitch, tract, seconds):
    """Samples between -1 and 1 of a voice at ``pitch`` Hz; ``tract`` above 1 is a shorter mouth."""
    import numpy

    size = seconds * RATE
    time = numpy.arange(size) / RATE
    melody = pitch * (1 + 0.04 * numpy.sin(2 * numpy.pi * 0.7 * time) + 0.02 * numpy.sin(2 * numpy.pi * 5 * time))
    pulses = numpy.diff(numpy.floor(numpy.cumsum(melody) / RATE), prepend=0.0)
    pulses += 0.01 * numpy.random.default_rng(int(pitch)).standard_normal(size)
    hertz = numpy.fft.rfftfreq(size, 1 / RATE)
    mouth = numpy.ones(len(hertz), dtype=complex)
    for resonance, width in ((730, 90), (1090, 110), (2440, 170)):
        centre = resonance * tract
        mouth *= centre**2 / (centre**2 - hertz**2 + 1j * width * hertz)
    sound = numpy.fft.irfft(numpy.fft.rfft(pulses) * mouth, size)
    syllables = 0.2 + 0.8 * numpy.sin(2 * numpy.pi * 1.9 * time) ** 2
    return sound / numpy.abs(sound).max() * syllables


@flow(
    name="voice-report",
    description="Who speaks when? A recording, a template that tells the voices apart on a GPU node, and a plot.",
    namespace="airflow",
    params={"turn_count": 4},
    env={
        "default": {"WORKSPACE": "./tmp"},
        "airflow": {"BUCKET": "my-bucket", "REGION_NAME": "ap-northeast-2", "ENDPOINT": "https://minio.example.com"},
    },
    volumes=[
        Volume(name="model-cache", persistent_volume_claim="model-cache"),
        Volume(name="scratch", empty_dir="2Gi"),
    ],
    annotations={"karpenter.sh/do-not-disrupt": "true"},
    service_account_name="pipelines",
    tags=["example", "voice"],
    owners=["team:examples"],
)
def main(args):
    recorded = record_talk(args)
    told = tell_speakers(recorded)
    return report(told)
