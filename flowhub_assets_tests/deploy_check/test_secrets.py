"""What is a credential that is written down, and what only names one."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.deploy_check.folder import read_folder
from flowhub_assets.deploy_check.manifests import Manifest
from flowhub_assets.deploy_check.secrets import literals, secret_problems
from flowhub_assets_tests.deploy_check.changed_folder import DEPLOY


@pytest.mark.parametrize(
    "data",
    [
        {"postgresqlPassword": "x"},
        {"password": "x"},
        {"a": [{"b": {"secretKey": "x"}}]},
        {"clientSecret": "x"},
        {"client_secret": "x"},
        {"AWS_SECRET_ACCESS_KEY": "x"},
        {"env": [{"name": "API_TOKEN", "value": "x"}]},
        {"url": "postgresql://me:hunter2@example.com/db"},
        {"settings.toml": '[env.s3]\nACCESS_KEY = "x"\n'},
    ],
)
def test_a_credential_is_found(data: Any) -> None:
    assert len(list(literals(data))) == 1


@pytest.mark.parametrize(
    "data",
    [
        {"postgresqlPassword": ""},
        {"existingSecret": "name"},
        {"postgresqlSecretName": "name"},
        {"postgresqlSecretPasswordKey": "postgresql-password"},
        {"postgres_password_secret": "name"},
        {"secretName": "name"},
        {"tlsSecret": "name"},
        {"password": {"env": "NAME"}},
        {"password": "${NAME:-laptop-only}"},
        {"env": [{"name": "API_TOKEN", "valueFrom": {"secretKeyRef": {"name": "a", "key": "token"}}}]},
        {"env": [{"name": "MC_HOST", "value": "http://$(USER):$(PASSWORD)@minio:9000"}]},
        {"url": "http://minio:9000/a@b"},
        {"settings.toml": '[env.s3]\nACCESS_KEY = {env = "NAME"}\n'},
        {"settings.toml": "no toml ["},
        {"automountServiceAccountToken": False},
    ],
)
def test_what_only_names_one_is_none(data: Any) -> None:
    assert list(literals(data)) == []


def test_a_secret_with_its_values_is_told() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "hunter2"}}
    manifest = Manifest(secret, lambda _keys: ("a.yaml", 1, 1))
    folder = read_folder(DEPLOY)
    (problem,) = secret_problems(folder, [], [manifest])
    assert str(problem).startswith("a.yaml:1:1: Secret s: it holds its values")
    assert "hunter2" not in str(problem)
