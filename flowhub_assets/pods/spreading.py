"""A pipeline's files in as many archives as it takes for each to fit into a ConfigMap."""

from __future__ import annotations

from collections.abc import Mapping

from flowhub_assets.errors import DefinitionError
from flowhub_assets.pods.archive import pack

#: What Kubernetes takes in one ConfigMap: the bytes of all its values, decoded (MaxSecretSize of its validation).
LARGEST = 1024 * 1024

_GIT = (
    "keep the code in a git repository and name it, @flow(repo='https://...', path='folder/in/it'), or leave the file"
    " out of EXTRA_PACKAGES and have it in the image or in the profile's storage"
)


def spread(files: Mapping[str, bytes], room: int, paths: Mapping[str, str], largest: int = LARGEST) -> list[bytes]:
    """Archives of ``files``, together all of them: the first at most ``room`` bytes long, others at most ``largest``.

    One archive where that is enough, none without files; an empty first one (b"") where nothing fits into ``room``.
    Which file lies where depends on names and contents alone. Raises DefinitionError for a file that is too large
    alone, at its place in ``paths``.
    """
    if not files:
        return []
    # Ten bytes for one is more than xz gains on any code: what is larger is not worth the time.
    if sum(map(len, files.values())) <= 10 * room:
        whole = pack(files)
        if len(whole) <= room:
            return [whole]
    sizes = {name: _size_alone(name, files[name], paths, largest) for name in sorted(files)}
    return [
        packed
        for number, names in enumerate(_first_fit(sizes, room, largest))
        for packed in _packed({name: files[name] for name in names}, room if number == 0 else largest)
    ]


def _size_alone(name: str, content: bytes, paths: Mapping[str, str], largest: int) -> int:
    # One that is so much larger would only be packed to be refused.
    size = len(pack({name: content})) if len(content) <= 100 * largest else len(content)
    if size > largest:
        packed = f", {size:,} when packed" if len(content) <= 100 * largest else ""
        raise DefinitionError(
            f"{name} has {len(content):,} bytes{packed}",
            where=paths.get(name, name),
            effect=f"a ConfigMap of Kubernetes holds {largest:,} bytes at most, so nothing was exported",
            remedy=_GIT,
        )
    return size


def _first_fit(sizes: Mapping[str, int], room: int, largest: int) -> list[list[str]]:
    """Names by archive, each in the first one that has room for it; packed together they are hardly ever larger."""
    archives: list[list[str]] = [[]]
    left = [room]
    for name, size in sizes.items():
        place = next((number for number, rest in enumerate(left) if size <= rest), len(archives))
        if place == len(archives):
            archives.append([])
            left.append(largest)
        archives[place].append(name)
        left[place] -= size
    return archives


def _packed(files: Mapping[str, bytes], most: int) -> list[bytes]:
    """One archive of ``files``, or, should it be larger than its parts were, two of half of them each."""
    if not files:
        return [b""]
    whole = pack(files)
    if len(whole) <= most or len(files) == 1:
        return [whole]
    names = list(files)
    half = len(names) // 2
    return [
        packed
        for part in (names[:half], names[half:])
        for packed in _packed({name: files[name] for name in part}, most)
    ]
