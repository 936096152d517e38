"""The kind error."""

from __future__ import annotations

import pytest

from flowhub_assets.nodes import run
from flowhub_assets.nodes.builtin.error import Error, Refused


@pytest.mark.parametrize("retry", [False, True])
def test_it_fails_with_its_message(retry: bool) -> None:
    with pytest.raises(Refused) as caught:
        run(Error, config={"retry": retry}, message="그만", remedy="again")
    assert (caught.value.what, caught.value.remedy, caught.value.retry) == ("그만", "again", retry)
