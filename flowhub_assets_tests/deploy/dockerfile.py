"""A Dockerfile's instructions, and its build stage run on this machine: the same commands, in folders of a test."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

#: Where the stage has its own things; a test has them elsewhere.
_INSIDE = ("/src", "/opt/flowhub")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Stage:
    """``FROM image AS name``, and its instructions in their order: the word and what stands behind it."""

    name: str
    image: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def of(self, word: str) -> list[str]:
        """What stands behind each instruction with that word."""
        return [rest for name, rest in self.instructions if name == word]

    def environment(self) -> dict[str, str]:
        """The variables of its ENV and ARG instructions."""
        pairs = " ".join(self.of("ENV")) + " " + " ".join(self.of("ARG"))
        return dict(re.findall(r"(\w+)=(\S+)", pairs))


def stages(text: str) -> tuple[dict[str, str], list[Stage]]:
    """The ARGs before the first FROM, and the stages."""
    joined = re.sub(r"\\\n(\s*#.*\n)*", " ", text)
    arguments: dict[str, str] = {}
    found: list[Stage] = []
    for line in joined.splitlines():
        word, _, rest = line.strip().partition(" ")
        if not word or word.startswith("#"):
            continue
        if word == "FROM":
            image, _, name = rest.partition(" AS ")
            found.append(Stage(name, _VARIABLE.sub(lambda match: arguments[match[1]], image)))
        elif not found:
            name, _, value = rest.partition("=")
            arguments[name] = value
        else:
            found[-1].instructions.append((word, re.sub(r"\s+", " ", rest.strip())))
    return arguments, found


def build(stage: Stage, checkout: Path, root: Path) -> Path:
    """Runs the COPY and RUN instructions of ``stage`` below ``root`` and returns the folder that is its /opt/flowhub.

    The base image's Python is a fresh environment, its HOME an empty folder. Raises AssertionError with what a
    command said that failed.
    """
    base, source, opt, home = (root / name for name in ("base", "src", "opt/flowhub", "home"))
    for folder in (source, opt, home):
        folder.mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "venv", base], check=True, timeout=60)
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if name.lower().endswith("_proxy") or name.startswith("PIP_")
        },
        **{name: _moved(value, root) for name, value in stage.environment().items()},
        "HOME": str(home),
        "PATH": f"{base}/bin:/usr/bin:/bin",
        # Of the machine that runs the tests: the image keeps none, but nobody downloads all anew for each test.
        "PIP_NO_CACHE_DIR": "0",
        "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip")),
    }
    for word, rest in stage.instructions:
        if word == "COPY":
            _copy(rest, checkout, source)
        elif word == "RUN":
            _run(_moved(rest, root), source, environment)
    return opt


def _moved(text: str, root: Path) -> str:
    for inside in _INSIDE:
        text = re.sub(rf"(?<![\w/.]){inside}(?=[/\s\"']|$)", f"{root}{inside}", text)
    return text


def _copy(rest: str, checkout: Path, source: Path) -> None:
    *names, target = rest.split()
    for name in names:
        there = checkout / name
        folder = source / target
        if there.is_dir():
            shutil.copytree(there, folder, ignore=shutil.ignore_patterns("__pycache__"))
        elif target.endswith("/"):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy2(there, folder)
        else:
            folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(there, folder)


def _run(command: str, folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
