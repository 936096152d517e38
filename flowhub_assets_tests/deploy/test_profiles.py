"""The profiles of values.yaml, mounted as a pod has them, against a real server that speaks S3."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.s3_server import running_s3_server

VALUES = yaml.safe_load((ROOT / "deploy" / "helm" / "values.yaml").read_text("utf-8"))


@pytest.mark.parametrize("job", ["quick_start", "hello"])
def test_a_run_keeps_its_values_in_the_bucket(job: str, tmp_path: Path) -> None:
    app, home, bucket = (tmp_path / name for name in ("flowhub/app", "home", "s3/bucket"))
    for folder in (app, home, bucket):
        folder.mkdir(parents=True)
    (settings,) = VALUES["dagster-user-deployments"]["extraManifests"]
    (app.parent / "pyproject.toml").write_text(settings["data"]["pyproject.toml"])
    with running_s3_server(bucket.parent) as server:
        environment = {
            **os.environ,
            "DAGSTER_HOME": str(home),
            "FLOWHUB_ENV": "minio",
            "FLOWHUB_PIPELINES": str(mounted_config_map(tmp_path / "pipelines")),
            "FLOWHUB_BUCKET": bucket.name,
            "FLOWHUB_ENDPOINT": server.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": server.access_key,
            "AWS_SECRET_ACCESS_KEY": server.secret_key,
        }
        command = ["dagster", "job", "execute", "--module-name", "flowhub_assets.definitions", "--job", job]
        done = subprocess.run(
            command, cwd=app, env=environment, capture_output=True, text=True, timeout=100, check=False
        )
    assert done.returncode == 0, done.stderr
    assert list(bucket.glob(f"{job.replace('_', '-')}/runs/*/*.json"))
    assert server.secret_key not in done.stdout + done.stderr


def mounted_config_map(folder: Path) -> Path:
    """The folder as the kubelet mounts a ConfigMap: each file a link through ..data into a folder of that moment."""
    moment = folder / "..2026_11_22_15_00_00.1"
    moment.mkdir(parents=True)
    (folder / "..data").symlink_to(moment.name)
    for file in (ROOT / "deploy" / "compose" / "pipelines").iterdir():
        (moment / file.name).write_bytes(file.read_bytes())
        (folder / file.name).symlink_to(f"..data/{file.name}")
    return folder
