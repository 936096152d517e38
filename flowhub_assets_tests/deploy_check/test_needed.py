"""A package that is not installed is told by its name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from flowhub_assets.deploy_check.needed import needed
from flowhub_assets.errors import InputError


def test_a_module_is_imported() -> None:
    assert needed("kubernetes_validate", "kubernetes-validate").latest_version()


def test_a_missing_package_is_told_with_what_installs_it() -> None:
    with pytest.raises(InputError, match="the package helm-python-sdk is not installed") as told:
        needed("helm_python_that_is_not_there", "helm-python-sdk")
    assert told.value.remedy == "Install it: pip install 'flowhub-assets[deploy]'"


def test_a_package_that_lacks_another_one_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_another.py").write_text("import another_that_is_not_there\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="another_that_is_not_there"):
        needed("needs_another", "needs-another")
    assert "needs_another" not in sys.modules
