"""Many nodes with a child each, where the system's usual limit of open files is too low for them."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

import pytest

from flowhub_assets.runtime.light_call import Bell
from flowhub_assets.runtime.open_files import allow_open_files


@pytest.fixture
def few_open_files() -> Iterator[int]:
    """The limit that Linux gives a login shell."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_limit_is_raised_within_bounds_and_never_lowered(few_open_files: int) -> None:
    allow_open_files()
    raised, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == few_open_files
    assert raised == min(few_open_files, 16_384)
    if few_open_files > 16_384:
        resource.setrlimit(resource.RLIMIT_NOFILE, (few_open_files, few_open_files))
        allow_open_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == few_open_files


def test_a_bell_with_a_large_file_descriptor_rings(few_open_files: int) -> None:
    allow_open_files()
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1024)]
    bell = Bell()
    try:
        assert bell.fileno() > 1023
        bell.wait(0.01)
        bell.ring()
        bell.wait(60)
    finally:
        bell.close()
        for number in held:
            os.close(number)
