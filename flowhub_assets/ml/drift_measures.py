"""How far the values of a column have moved: the population stability index, and Kolmogorov and Smirnov's distance.

PSI compares shares of bins: sum of (now - before) · ln(now / before), over the deciles of before, fewer of few rows, or
over single values where there are few. Nulls are a bin of their own, and so is whatever was not there before. The
distance of Kolmogorov and Smirnov, of numbers alone, is the largest gap between both distribution functions.

Of few rows both are large by mere chance, so each has a bound that grows as rows grow fewer. PSI is nearly
chi-squared, with a degree of freedom less than there are bins, times (1/n + 1/m) (Yurdakul, 2018); the distance has
its own distribution (Smirnov, 1948).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flowhub_assets.ml.schema import is_null

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: What counts as moved, of many rows: 0.25 is the bound that credit scoring has long taken for a PSI.
PSI_BOUND, KS_BOUND = 0.25, 0.2
#: How often columns that have not moved may be taken for moved, in one look at a table.
FALSE_ALARMS = 0.01

_FEW = 10
#: Bins of many rows, and the fewest rows that each is to have (Cochran's rule for chi-squared).
_MOST_BINS, _ROWS_OF_BIN = 10, 5
_NULL, _UNSEEN = "null", "unseen"
#: An empty bin is told as half a row: its logarithm has to be something.
_HALF = 0.5


def psi(before: Sequence[Any], now: Sequence[Any]) -> tuple[float, int]:
    """The population stability index of two columns, 0 where they are alike, and the number of bins that have rows.

    Values are numbers or text, None and NaN are nulls. (0, 0) where either has no rows.
    """
    if not len(before) or not len(now):
        return 0.0, 0
    bins = _Bins(before, max(2, min(_MOST_BINS, len(before) // _ROWS_OF_BIN, len(now) // _ROWS_OF_BIN)))
    counted, counted_now = bins.counts(before), bins.counts(now)
    places = counted.keys() | counted_now.keys()
    index = 0.0
    for place in sorted(places):
        old = max(counted.get(place, 0), _HALF) / len(before)
        new = max(counted_now.get(place, 0), _HALF) / len(now)
        index += (new - old) * math.log(new / old)
    return index, len(places)


def ks(before: Sequence[Any], now: Sequence[Any]) -> float | None:
    """The largest gap between the distribution functions of two columns of numbers, 0 to 1; nulls are left out.

    None where either has no numbers.
    """
    old, new = numbers_in(before), numbers_in(now)
    if not len(old) or not len(new):
        return None
    import numpy
    from scipy.stats import ks_2samp

    # The distance alone: its bound stands for the p-value, of which scipy divides by zero where rows are few.
    with numpy.errstate(divide="ignore"):
        return float(ks_2samp(old, new, method="asymp").statistic)


def psi_bound(rows: int, rows_now: int, bins: int, chance: float, bound: float = PSI_BOUND) -> float:
    """Above which a PSI of so many rows and bins is none by chance; ``bound`` at least. 0 < ``chance`` < 1."""
    if bins < 2 or not rows or not rows_now:
        return bound
    from scipy.stats import chi2

    return max(bound, float(chi2.ppf(1 - chance, bins - 1)) * (1 / rows + 1 / rows_now))


def ks_bound(rows: int, rows_now: int, chance: float, bound: float = KS_BOUND) -> float:
    """Above which a distance of so many numbers is none by chance; ``bound`` at least."""
    if not rows or not rows_now:
        return bound
    return max(bound, math.sqrt(-math.log(chance / 2) / 2 * (1 / rows + 1 / rows_now)))


def numbers_in(values: Sequence[Any]) -> NDArray[Any]:
    """The values that are not null, as floats."""
    import numpy

    return numpy.array([float(one) for one in values if not is_null(one)])


class _Bins:
    """The bins of a column as it was before."""

    def __init__(self, before: Sequence[Any], quantiles: int) -> None:
        there = [one for one in before if not is_null(one)]
        self._values = {_key(one) for one in there}
        # A decile of few values would hold several of them, and not tell when they change places.
        self._edges: list[float] | None = None
        if len(self._values) > _FEW and all(isinstance(one, (int, float)) for one in there):
            self._edges = _edges(numbers_in(there), quantiles)

    def counts(self, values: Sequence[Any]) -> dict[str, int]:
        """How many rows each bin has; only those that have any."""
        if self._edges is None:
            return _counted([self._place(one) for one in values])
        import numpy

        found = numpy.searchsorted(self._edges, numbers_in(values), side="left").tolist()
        nulls = [_NULL for one in values if is_null(one)]
        return _counted([*(f"{place:02}" for place in found), *nulls])

    def _place(self, value: Any) -> str:
        if is_null(value):
            return _NULL
        key = _key(value)
        return f"={key}" if key in self._values else _UNSEEN


def _edges(numbers: NDArray[Any], quantiles: int) -> list[float]:
    """Between which bins lie: halfway from each quantile to the next larger number.

    At the numbers themselves, measures of one decimal, say, would all change their bins when they change a little.
    """
    import numpy

    values = numpy.unique(numbers)
    shares = [one / quantiles for one in range(1, quantiles)]
    places = numpy.searchsorted(values, numpy.quantile(numbers, shares, method="lower"))
    inner = sorted({place for place in places.tolist() if place + 1 < len(values)})
    return [float(values[place] / 2 + values[place + 1] / 2) for place in inner]


def _key(value: Any) -> str:
    # 1 and 1.0 are one value: a null elsewhere makes pandas write integers as floats.
    return repr(float(value)) if isinstance(value, (int, float)) else str(value)


def _counted(places: Sequence[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for place in places:
        counts[place] = counts.get(place, 0) + 1
    return counts
