"""The first thing that runs in a task's pod: unpacks the code beside this file and starts it.

    python boot.py --module flowhub_assets.from_python.pod --result /airflow/xcom/return.json [--code FOLDER]

With ``--result -`` the result goes to the log, as a message of Dagster Pipes.

Beside it lie pipeline.json, rows.tar.xz (flowhub itself, for an image that has nothing but Python 3.9 or newer) and
code.tar.xz, code-2.tar.xz, ... (the pipeline's own files); with --code those are in FOLDER already. What is to be
done stands in the environment: FLOWHUB_STEP.
"""

from __future__ import annotations

import argparse
import glob
import importlib.util
import json
import os
import re
import runpy
import shutil
import sys
import tarfile
import tempfile
from typing import NoReturn

# This module is started where flowhub_assets is not installed; any other comes from the image.
TRAVELS = "flowhub_assets.from_python.pod"


class CannotStart(Exception):
    """What is wrong with this pod, in words for whoever set it up."""


def main() -> None:
    """Unpacks, runs the module and removes what was unpacked."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--module", required=True)
    parser.add_argument("--result", required=True)
    parser.add_argument("--code", default="")
    options = parser.parse_args()
    try:
        folder = new_folder()
    except CannotStart as problem:
        fail(str(problem), options.result)
    try:
        start(folder, options)
    except CannotStart as problem:
        fail(str(problem), options.result)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def start(folder: str, options: argparse.Namespace) -> None:
    """Runs the module as if by python -m, with the pipeline's code behind everything else on sys.path."""
    here = os.path.dirname(os.path.abspath(__file__))
    code = os.path.abspath(options.code) if options.code else os.path.join(folder, "code")
    if options.code and not os.path.isdir(code):
        raise CannotStart(f"there is no folder {code}: the code was not cloned, or the flow's path= is wrong")
    # Python has put this file's own folder there, which holds no modules for others.
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]
    if options.module == TRAVELS:
        unpack(os.path.join(here, "rows.tar.xz"), os.path.join(folder, "rows"))
        sys.path.insert(0, os.path.join(folder, "rows"))
    if not options.code:
        os.makedirs(code)
        for archive in sorted(glob.glob(os.path.join(here, "code*.tar.xz")), key=number):
            unpack(archive, code)
    sys.path.append(code)
    pipeline = os.path.join(here, "pipeline.json")
    sys.argv = [options.module, "--pipeline", pipeline, "--code", code, "--result", options.result]
    if importlib.util.find_spec(options.module.partition(".")[0]) is None:
        raise CannotStart("this image has no flowhub_assets: name one that has, by FLOWHUB_IMAGE")
    runpy.run_module(options.module, run_name="__main__", alter_sys=True)


def new_folder() -> str:
    """A folder of this pod's own."""
    try:
        return tempfile.mkdtemp(prefix="flowhub-")
    except OSError as error:
        raise CannotStart(f"no temporary folder can be written, mount an emptyDir at /tmp: {error}") from None


def unpack(archive: str, folder: str) -> None:
    """Writes the files of an archive below ``folder``: plain files only, none of which leads out of it."""
    try:
        import lzma
    except ImportError:
        raise CannotStart("this image's Python was built without lzma: take one that has it") from None
    try:
        with tarfile.open(archive, "r:xz") as members:
            for member in members:
                if not member.isdir():
                    write(members, member, archive, folder)
    except (OSError, EOFError, tarfile.TarError, lzma.LZMAError) as error:
        raise CannotStart(f"{archive} cannot be unpacked: {error}") from None


def write(members: tarfile.TarFile, member: tarfile.TarInfo, archive: str, folder: str) -> None:
    """One file of an archive, with the rights of its owner."""
    path = os.path.normpath(member.name)
    content = members.extractfile(member) if member.isfile() else None
    if content is None or os.path.isabs(path) or path.split(os.sep)[0] == os.pardir:
        raise CannotStart(f"{archive} holds {member.name!r}, which is no plain file inside it")
    target = os.path.join(folder, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as file:
        shutil.copyfileobj(content, file)
    os.chmod(target, member.mode & 0o755 | 0o600)


def number(archive: str) -> int:
    """code.tar.xz is the first, then code-2.tar.xz and so on."""
    found = re.search(r"code-(\d+)\.tar\.xz$", archive)
    return int(found.group(1)) if found else 1


def fail(what: str, result: str) -> NoReturn:
    """Tells the log and the operator, and ends the pod."""
    print(f"flowhub: {what}", file=sys.stderr, flush=True)
    failure = {"failed_task": "", "error": what, "error_type": "CannotStart", "traceback": what, "retry": False}
    if result == "-":
        told = {"payload": {"flowhub/result": {"failure": failure}}}
        print(
            json.dumps({"__dagster_pipes_version": "0.1", "method": "report_custom_message", "params": told}),
            flush=True,
        )
        raise SystemExit(1)
    try:
        os.makedirs(os.path.dirname(os.path.abspath(result)), exist_ok=True)
        with open(result, "w", encoding="utf-8") as file:
            json.dump({"failure": failure}, file)
    except OSError as error:
        print(f"flowhub: {result} cannot be written: {error}", file=sys.stderr, flush=True)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
