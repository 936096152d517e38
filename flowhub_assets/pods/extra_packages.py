"""EXTRA_PACKAGES of a profile: the files of folders that travel with the pipeline, without what tools left there."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterator, Mapping
from typing import Any

from flowhub_assets.errors import ProfileError

KEY = "EXTRA_PACKAGES"

#: What version control, environments, builds, caches, editors and operating systems leave in a folder, and where tools
#: keep credentials.
_FOLDERS_LEFT_OUT = (
    "__pycache__ .git .hg .svn .venv .tox .nox .eggs node_modules *.egg-info *.dist-info"
    " .mypy_cache .pytest_cache .ruff_cache .hypothesis .ipynb_checkpoints .idea .vscode .Trash* __MACOSX"
    " .aws .ssh .kube .docker .gnupg"
).split()
_FILES_LEFT_OUT = (
    "*.pyc *.pyo .DS_Store ._* Thumbs.db desktop.ini *~ .#* #*# *.swp *.swo .coverage .git .gitignore .gitattributes"
    " *.env .env.* .envrc .netrc .pgpass .pypirc .npmrc .git-credentials .htpasswd id_rsa id_ecdsa id_ed25519"
).split()


def extra_files(profile: Mapping[str, Any], folder: str, where: object) -> Iterator[tuple[str, str]]:
    """Each file of EXTRA_PACKAGES with the name, from ``folder`` and with /, that it has where the pipeline runs.

    Entries are files or folders relative to ``folder``, that of the workflow file. One that lies inside keeps its
    place; one from outside (``../shared/my_package``) comes to lie beside the workflow file, where it can be imported.
    Left out are caches, compiled files, .env files and others of credentials, and what version control, environments,
    editors and operating systems leave behind. Raises ProfileError for what is not there, cannot be read, is a symlink
    out of its package, or is such a file itself.
    """
    for entry in _entries(profile, where):
        path = os.path.normpath(os.path.join(folder, os.path.expanduser(entry)))
        name = os.path.relpath(path, folder)
        if name == os.curdir:
            raise _refused(
                f"{entry!r} is the whole folder of the workflow file", where, "name the packages in it that are needed"
            )
        if name.split(os.sep)[0] == os.pardir:
            name = os.path.basename(path)
        if not os.path.lexists(path):
            what = f"{entry!r} is not there: {path}"
            raise _refused(what, where, "check the name; it is relative to the folder of the workflow file")
        if is_left_out(path):
            remedy = "take it out; pods get credentials from a Kubernetes Secret: 'TOKEN': {'env': 'TOKEN'}"
            raise _refused(f"{entry!r} is none that travels: a cache, or a file of credentials", where, remedy)
        yield from _below(path, name, os.path.realpath(path), where, (os.path.realpath(path),))


def _entries(profile: Mapping[str, Any], where: object) -> list[str]:
    given = profile.get(KEY) or []
    given = [given] if isinstance(given, str) else given
    if not isinstance(given, (list, tuple)) or not all(isinstance(entry, str) and entry.strip() for entry in given):
        kind = type(given).__name__
        raise _refused(f"it is a {kind}, not a list of paths", where, f"write '{KEY}': ['./my_package']")
    return list(given)


def _below(path: str, name: str, package: str, where: object, around: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The files at and below ``path``; ``package`` is the real path of the entry, ``around`` those of the folders."""
    try:
        kind = os.stat(path).st_mode
        if stat.S_ISREG(kind):
            yield path, name.replace(os.sep, "/")
            return
        if not stat.S_ISDIR(kind):
            raise _refused(f"{path} is neither a file nor a folder", where, "take it out of the package")
        found = sorted(os.listdir(path))
    except OSError as error:
        what = f"{path} cannot be read: {error.strerror}"
        raise _refused(what, where, "mend the symlink or the permissions, or take it out of the package") from None
    for entry in found:
        inner = os.path.join(path, entry)
        if is_left_out(inner):
            continue
        real = os.path.realpath(inner)
        if os.path.islink(inner):
            _require_inside(inner, real, package, where, around)
        yield from _below(inner, os.path.join(name, entry), package, where, (*around, real))


def is_left_out(path: str) -> bool:
    """Whether the file or folder at ``path``, or what it points to, is a cache, an editor's file, a .env file."""
    names = {os.path.basename(path), os.path.basename(os.path.realpath(path))}
    if os.path.isdir(path):
        return _matches(names, _FOLDERS_LEFT_OUT) or os.path.isfile(os.path.join(path, "pyvenv.cfg"))
    return _matches(names, _FILES_LEFT_OUT)


def _matches(names: set[str], patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)


def _require_inside(link: str, real: str, package: str, where: object, around: tuple[str, ...]) -> None:
    if real != package and not real.startswith(package + os.sep):
        remedy = "put the file itself there, or name what it points to as an entry of its own"
        raise _refused(f"{link} is a symlink that leaves its package", where, remedy)
    if real in around:
        raise _refused(f"{link} is a symlink to a folder around it", where, "remove the symlink")


def _refused(what: str, where: object, remedy: str) -> ProfileError:
    return ProfileError(f"{KEY}: {what}", where=where, effect="nothing was exported", remedy=remedy)
