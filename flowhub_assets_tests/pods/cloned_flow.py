"""A flow whose code its pods clone: the repository, and the file as it is here, with newer code."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

CLONED = """
from flowhub import flow, task
from helper import NAME


@task(image="team/say:1")
def say(args):
    return {"version": VERSION, "helper": NAME}


@task
def note(args):
    return {"error": args["error"]}


@flow(name="cloned", repo="URL#REF", path="pipelines/$(HOME) $$", on_failure=note)
def main(args):
    return say(args)
"""


def git(folder: Path, *words: str) -> None:
    """Runs git there, with no settings of this machine."""
    identity = {
        f"GIT_{who}_{what}": "test@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), **identity}
    subprocess.run(["git", *words], cwd=folder, env=variables, check=True, capture_output=True, timeout=30)


def repository(folder: Path) -> str:
    """The file:// URL of a bare repository with the tag v1, and newer code behind it."""
    work, place = folder / "work", folder / "work/pipelines/$(HOME) $$"
    place.mkdir(parents=True)
    git(work, "init", "--quiet")
    for version in ("v1", "v2"):
        (place / "workflow.py").write_text(cloned("ignored", version, version), "utf-8")
        (place / "helper.py").write_text(f"NAME = 'helper of {version}'\n", "utf-8")
        git(work, "add", ".")
        git(work, "commit", "--quiet", "--message", version)
        if version == "v1":
            git(work, "tag", "v1")
    git(folder, "clone", "--quiet", "--bare", "work", "flows.git")
    return (folder / "flows.git").as_uri()


def cloned(url: str, ref: str, version: str) -> str:
    """The workflow file as it is in the repository, or here."""
    return CLONED.replace("URL", url).replace("REF", ref).replace("VERSION", repr(version))
