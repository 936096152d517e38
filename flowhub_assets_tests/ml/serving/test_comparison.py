"""Whether the challenger is worse, better or alike: by rows of which only one of the two is right."""

from __future__ import annotations

import pytest

from flowhub_assets.ml.serving.comparison import judged


@pytest.mark.parametrize(
    ("champion", "challenger", "verdict"),
    [
        ([0.0] * 20, [0.0] * 20, "alike"),
        ([0.0] * 20, [1.0] * 10 + [0.0] * 10, "worse"),
        ([1.0] * 10 + [0.0] * 10, [0.0] * 20, "better"),
        ([1.0, 0.0], [0.0, 1.0], "alike"),
        # One row says nothing.
        ([0.0], [1.0], "alike"),
        ([0.5] * 9, [0.6] * 9, "worse"),
    ],
)
def test_the_verdict(champion: list[float], challenger: list[float], verdict: str) -> None:
    assert judged(champion, challenger)[0] == verdict


def test_p_is_that_of_the_exact_test() -> None:
    # 9 of 10 on one side: 2 * (10 + 1) / 2**10.
    champion, challenger = [0.0] * 9 + [1.0], [1.0] * 9 + [0.0]
    verdict, p = judged(champion, challenger)
    assert verdict == "worse"
    assert p == pytest.approx(22 / 1024)
