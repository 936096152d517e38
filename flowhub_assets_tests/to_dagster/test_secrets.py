"""No secret of a profile reaches a file, the event log, metadata or an error: every byte is searched."""

from __future__ import annotations

from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance, execute_job

from flowhub_assets_tests.workflows import Workflows, reconstructable

SECRETS = (
    "planted-access-7f3a",
    "planted-secret-9c1d",
    "planted-token-5e2b",
    "planted-shared-1a4c",
    "planted-url-3d8e",
)

LEAKY = """
    ENV = {"default": {
        "WORKSPACE": "./tmp",
        "ACCESS_KEY": "planted-access-7f3a",
        "SECRET_KEY": "planted-secret-9c1d",
        "DATABASE": {"PASSWORD": "planted-secret-9c1d"},
        "DATABASE_URL": "postgresql://me:planted-url-3d8e@db/x",
    }}

    def all_of(env):
        names = ["ACCESS_KEY", "SECRET_KEY", "API_TOKEN", "SHARED_TOKEN", "DATABASE_URL"]
        return " ".join(env[name] for name in names)

    @task(env={"API_TOKEN": "planted-token-5e2b"})
    def keeps(args):
        assert "planted-shared-1a4c" in all_of(args["env"])
        pathlib.Path("seen").open("a").write("x")
        return {**args, "more": {"env of another": 1}}

    @task(env={"API_TOKEN": "planted-token-5e2b"}, retries=1)
    def raises(args):
        env = args["env"]
        try:
            raise KeyError(env["SECRET_KEY"])
        except KeyError as error:
            raise RuntimeError(f"cannot log in with {all_of(env)!r}: {env}") from error

    @task(env={"API_TOKEN": "planted-token-5e2b"}, timeout=30)
    def raises_in_a_child(args):
        raise RuntimeError(all_of(args["env"]))

    @task(env={"API_TOKEN": "planted-token-5e2b"})
    def returns_what_is_not_json(args):
        class Client:
            def __repr__(self):
                return all_of(args["env"])
        return {"client": Client(), all_of(args["env"]): 1}

    @task(env={"API_TOKEN": "planted-token-5e2b"})
    def told(args):
        pathlib.Path("told").write_text(args["error"])
        return args

    @flow(env=ENV, on_failure=told)
    def leaky(args):
        start = keeps(args)
        raises(start)
        raises_in_a_child(start)
        returns_what_is_not_json(start)
"""


def planted(folder: Path) -> list[str]:
    """Each file below ``folder`` that holds a secret, in UTF-8 or UTF-16, with the secret."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found += [f"{path}: {secret}" for secret in SECRETS if secret.encode() in data]
    return found


@pytest.fixture
def leaky(workflows: Workflows, tmp_path: Path) -> Workflows:
    workflows.write("leaky.py", LEAKY)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.flowhub.env.default]\nSHARED_TOKEN = "planted-shared-1a4c"\n', encoding="utf-8"
    )
    return workflows


def test_env_is_in_args_and_nowhere_else(leaky: Workflows, instance_on_disk: DagsterInstance, tmp_path: Path) -> None:
    job = reconstructable(leaky.folder, "leaky")
    result = execute_job(job, instance_on_disk)
    assert not result.success
    assert (tmp_path / "seen").read_text() == "x", "the task saw all secrets"
    failures = [event.step_key or "" for event in result.all_events if event.is_step_failure]
    assert sorted(failures) == ["leaky__raises", "leaky__raises_in_a_child", "leaky__returns_what_is_not_json"]
    assert (tmp_path / "tmp" / "leaky" / "latest" / "keeps.json").read_text() == '{"more": {"env of another": 1}}'
    events = str([record.event_log_entry for record in instance_on_disk.get_records_for_run(result.run_id).records])
    assert "cannot log in with" in events, "the error itself is told"
    assert not [secret for secret in SECRETS if secret in events]
    assert planted(tmp_path / "home") == []
    assert planted(tmp_path / "tmp") == []


def test_on_failure_is_told_without_them(leaky: Workflows, instance_on_disk: DagsterInstance, tmp_path: Path) -> None:
    from flowhub_assets.to_dagster.failure_sensor import failure_requests

    result = leaky.run("leaky", instance_on_disk)
    flow = leaky.flow("leaky")
    (request,) = failure_requests(instance_on_disk, result.dagster_run, None, {"leaky": flow})
    assert not [secret for secret in SECRETS if secret in str(request)]
    assert flow.failure_job is not None
    assert flow.failure_job.execute_in_process(run_config=request.run_config, instance=instance_on_disk).success
    assert "***" in (tmp_path / "told").read_text()
    assert planted(tmp_path / "home") == []
    assert planted(tmp_path / "tmp") == []


def test_what_the_ui_knows_of_the_flow_holds_none(leaky: Workflows, tmp_path: Path) -> None:
    repository = leaky.repository()
    graph = repository.asset_graph
    told = "".join(str(graph.get(key).metadata) for key in graph.get_all_asset_keys())
    job = repository.get_job("leaky")
    told += str(job.get_job_snapshot())
    assert AssetKey(["leaky", "keeps"]) in set(graph.get_all_asset_keys())
    assert not [secret for secret in SECRETS if secret in told]


def test_a_profile_by_itself_prints_none(leaky: Workflows) -> None:
    from flowhub_assets.resources.profiles import ProfileResource, StorageResource

    profile = ProfileResource(values={"SECRET_KEY": "planted-secret-9c1d"})
    storage = StorageResource(secret_key="planted-secret-9c1d", access_key="planted-access-7f3a")
    assert "planted" not in f"{profile!r} {profile} {storage!r} {storage}"
