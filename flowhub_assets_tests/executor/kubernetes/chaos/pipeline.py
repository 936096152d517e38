"""The pipeline of the runs that faults befall: four light steps, two on CPUs, one on a GPU in an image of its own."""

from __future__ import annotations

LIGHT, CPU, OWN = ("begin", "note", "join", "end"), ("left", "right"), ("gpu",)
FLOW = "chaos"

#: ``BASE`` is replaced by the folder of the runs. Each step writes what it does into a file of its own.
SOURCE = '''\
import os, time
from flowhub import flow, task

def did(step, number, seconds):
    """Tells of a start, works for so long, tells of the end."""
    folder = "BASE/effects/%d" % number
    os.makedirs(folder, exist_ok=True)
    for word in ("start", "end"):
        with open(folder + "/" + step, "a") as file:
            file.write("%s %.6f %s\\n" % (word, time.time(), os.environ.get("HOSTNAME", "")))
        time.sleep(seconds if word == "start" else 0)

@task
def begin(args):
    did("begin", args["number"], 0.1)
    return {"number": args["number"]}

@task
def note(args):
    did("note", args["number"], 0.3)
    return {"noted": True}

@task(cpu="0.1", memory="2Gi")
def left(args):
    did("left", args["number"], 0.6)
    return {"left": args["number"] * 2}

@task(cpu="0.1", memory="2Gi")
def right(args):
    did("right", args["number"], 0.4)
    return {"right": args["number"] * 3}

@task(image="team/speech:1", gpu="1", memory="2Gi")
def gpu(args):
    print("on the GPU")
    did("gpu", args["number"], 0.8)
    return {"gpu": args["number"] * 5}

@task
def join(args):
    did("join", args["number"], 0.1)
    return {"sum": args["left"] + args["right"], "number": args["number"]}

@task
def end(args):
    did("end", args["number"], 0.1)
    return {"total": args["sum"] + args["gpu"], "number": args["number"]}

@flow(name="chaos", params={"number": 0}, env={"default": {"WORKSPACE": "BASE/files"}})
def chaos(args):
    first = begin(args)
    joined = join(first, left(first), right(first), note(first))
    return end(joined, gpu(first))
'''


def value(number: int) -> dict[str, int]:
    """What the last step of the run with this number gives."""
    return {"total": 10 * number, "number": number}
