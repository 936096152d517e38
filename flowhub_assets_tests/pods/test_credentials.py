"""A profile's credentials as references, and those that cannot be any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.ir.pipeline import Loop, Node, Pipeline, Source, Task
from flowhub_assets.pods.credentials import Credentials, create_secret_command, credentials

SECRET = "my-flow-secrets"
AWS_KEY = "AKIA" + "Q4R7T2W9Y6U3I8O5"


def task(name: str, **fields: Any) -> Task:
    given: dict[str, Any] = {"function": name, "source": Source("workflow.py", 5), "needs": ("$args",), **fields}
    return Task(name=name, **given)


def safe(profile: dict[str, Any], *tasks: Task, argv: tuple[str, ...] = (), **fields: Any) -> Credentials:
    fields = {"source": Source("workflow.py", 9), "profiles": {"airflow": profile}, **fields}
    pipeline = Pipeline(name="my flow", tasks=tasks, **fields)
    return credentials(pipeline, profile, "airflow", SECRET, argv)


def told(found: Credentials) -> list[tuple[str, str, str]]:
    return [(one.variable, one.secret, one.key) for one in found.references]


def refusals(found: Credentials) -> list[str]:
    return [str(error) for error in found.refusals]


def test_literals_under_credential_names_become_references_with_a_warning() -> None:
    found = safe({"BUCKET": "b", "ACCESS_KEY": "abc", "SECRET_KEY": "def", "PORT": 8080, "DEBUG": True})
    assert found.profile == {
        "BUCKET": "b",
        "ACCESS_KEY": {"env": "ACCESS_KEY"},
        "SECRET_KEY": {"env": "SECRET_KEY"},
        "PORT": 8080,
        "DEBUG": True,
    }
    assert told(found) == [("ACCESS_KEY", SECRET, "ACCESS_KEY"), ("SECRET_KEY", SECRET, "SECRET_KEY")]
    assert found.literals == {"abc": ("ACCESS_KEY",), "def": ("SECRET_KEY",)}
    assert found.refusals == ()
    assert len(found.warnings) == 2
    assert "ACCESS_KEY of profile 'airflow' is a literal" in found.warnings[0]
    assert "pods read ACCESS_KEY of the Secret 'my-flow-secrets'" in found.warnings[0]
    assert not any("abc" in text or "def" in text for text in found.warnings)
    assert "abc" not in repr(found)
    assert found.references[0].origin == "ACCESS_KEY of profile 'airflow'"


def test_nested_ones_and_lists_are_found() -> None:
    found = safe(
        {"DATABASE": {"HOST": "db", "PASSWORD": "p1"}, "SECRETS": ["s1", {"PIN": 1234}], "LIST": [{"API_TOKEN": "t1"}]}
    )
    assert found.profile == {
        "DATABASE": {"HOST": "db", "PASSWORD": {"env": "DATABASE_PASSWORD"}},
        "SECRETS": [{"env": "SECRETS_1"}, {"PIN": {"env": "SECRETS_2_PIN"}}],
        "LIST": [{"API_TOKEN": {"env": "LIST_1_API_TOKEN"}}],
    }
    assert set(found.literals) == {"p1", "s1", "1234", "t1"}


def test_what_names_a_variable_already_refers_to_the_secret_too() -> None:
    found = safe({"SHOP_URL": {"env": "SHOP_URL"}, "HOME_FOLDER": {"env": "HOME"}})
    assert found.profile == {"SHOP_URL": {"env": "SHOP_URL"}, "HOME_FOLDER": {"env": "HOME"}}
    assert told(found) == [("SHOP_URL", SECRET, "SHOP_URL")], "a container has a HOME of its own"
    assert found.warnings == ()


def test_a_secret_of_its_own_is_read_from_there() -> None:
    found = safe(
        {"SHOP_URL": {"secret": {"name": "shop", "key": "url"}}, "TOKEN": {"secret": {"name": "a", "key": "b"}}}
    )
    assert found.profile == {"SHOP_URL": {"env": "SHOP_URL"}, "TOKEN": {"env": "TOKEN"}}
    assert told(found) == [("SHOP_URL", "shop", "url"), ("TOKEN", "a", "b")]
    assert create_secret_command(found.references, SECRET) == ""


@pytest.mark.parametrize(
    "value", [{"name": "Not Legal", "key": "k"}, {"name": "a", "key": "x y"}, {"name": "a"}, {"name": 1, "key": "k"}]
)
def test_a_secret_that_no_cluster_can_have_is_refused(value: dict[str, Any]) -> None:
    (refusal,) = refusals(safe({"TOKEN": {"secret": value}}))
    assert "TOKEN of profile 'airflow' names no key of a Kubernetes Secret" in refusal
    assert "Write {'secret': {'name': 'my-secret'" in refusal


def test_a_variable_that_no_container_can_have_is_refused() -> None:
    (refusal,) = refusals(safe({"TOKEN": {"env": "my token"}}))
    assert "names the environment variable 'my token'" in refusal


def test_each_task_has_its_own_and_different_ones_have_different_names() -> None:
    inner = task("inner", env={"API_TOKEN": "three"})
    found = safe(
        {"API_TOKEN": "one", "OTHER_KEY": {"env": "SMTP_PASSWORD"}},
        task("mail", env={"API_TOKEN": "two", "SMTP_PASSWORD": "four", "HOST": "smtp"}),
        task("same", env={"API_TOKEN": "one"}),
        task("loop", function="", loop=Loop("items", (inner,), "inner")),
    )
    tasks = {one.name: one for one in (*found.pipeline.tasks, *found.pipeline.tasks[2].loop.tasks)}  # type: ignore[union-attr]
    assert found.profile["API_TOKEN"] == {"env": "API_TOKEN"}
    assert tasks["mail"].env == {
        "API_TOKEN": {"env": "MAIL_API_TOKEN"},
        "SMTP_PASSWORD": {"env": "MAIL_SMTP_PASSWORD"},
        "HOST": "smtp",
    }
    assert tasks["same"].env == {"API_TOKEN": {"env": "API_TOKEN"}}
    assert tasks["inner"].env == {"API_TOKEN": {"env": "INNER_API_TOKEN"}}
    assert len({variable for variable, _, _ in told(found)}) == len(found.references) == 5


def test_one_value_under_two_names_is_two_secrets() -> None:
    found = safe({"ACCESS_KEY": "minioadmin", "SECRET_KEY": "minioadmin"})
    assert found.profile == {"ACCESS_KEY": {"env": "ACCESS_KEY"}, "SECRET_KEY": {"env": "SECRET_KEY"}}
    assert found.literals == {"minioadmin": ("ACCESS_KEY", "SECRET_KEY")}


def test_credentials_of_other_profiles_are_known_and_no_pod_asks_for_them() -> None:
    profile = {"SECRET_KEY": "one"}
    found = safe(profile, profiles={"default": {"SECRET_KEY": "two", "TOKEN": {"env": "X"}}, "airflow": profile})
    assert told(found) == [("SECRET_KEY", SECRET, "SECRET_KEY")]
    assert set(found.literals) == {"one", "two"}
    assert found.pipeline.profiles["default"]["SECRET_KEY"] == {"env": "DEFAULT_SECRET_KEY"}


def test_what_only_its_looks_give_away_is_refused_at_its_line(tmp_path: Path) -> None:
    file = tmp_path / "workflow.py"
    url = "postgresql://me:" + "hunter2@db/x"
    file.write_text(f"# a flow\n\nENV = {{\n  'DATABASE_URL': '{url}',\n  'KEYS': ['{AWS_KEY}'],\n}}\n")
    found = safe({"DATABASE_URL": url, "KEYS": [AWS_KEY]}, source=Source(str(file), 1))
    first, second = refusals(found)
    assert first.startswith(f"{file}:4: DATABASE_URL of profile 'airflow' is a URL with a password")
    assert "{'env': 'DATABASE_URL'}" in first
    assert second.startswith(f"{file}:5: KEYS.1 of profile 'airflow' is an access key of AWS")
    assert "hunter2" not in first + second
    assert AWS_KEY not in first + second


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"params": {"api_token": "abc"}}, "param 'api_token' holds a credential"),
        ({"variables": {"password": "abc"}}, "variable 'password' holds a credential"),
        ({"params": {"db": {"password": "abc"}}}, "param 'db.password' holds a credential"),
        ({"variables": {"list": [{"clientSecret": 7}]}}, "variable 'list.1.clientSecret' holds a credential"),
        (
            {"param_schemas": {"db": {"properties": {"password": {"default": "abc"}}}}},
            "param schema 'db.properties.password.default' holds a credential",
        ),
        ({"repo": "https://tok3n-of-mine@git.example.com/a.git#v1"}, "repo of the pipeline holds a user or token"),
        ({"repo": "https://me:" + "tok3n-of-mine@git.example.com/a.git#v1"}, "repo of the pipeline holds a URL with"),
        ({"variables": {"key": AWS_KEY}}, "variables.key of the pipeline holds an access key of AWS"),
        ({"params": {"key": [AWS_KEY]}}, "params.key.1 of the pipeline holds an access key of AWS"),
        ({"description": f"uses {AWS_KEY}"}, "description of the pipeline holds an access key of AWS"),
        (
            {"description": "logs in with pl4nted-literal"},
            "description of the pipeline holds a credential of a profile",
        ),
        ({"annotations": {"note": "pl4nted-literal"}}, "annotations.note of the pipeline holds a credential"),
        ({"param_schemas": {"a": {"default": AWS_KEY}}}, "param_schemas.a.default of the pipeline holds"),
    ],
)
def test_a_credential_that_cannot_be_a_reference_is_refused(fields: dict[str, Any], words: str) -> None:
    (refusal,) = refusals(safe({"SECRET_KEY": "pl4nted-literal"}, **fields))
    assert words in refusal
    assert "so nothing was exported" in refusal
    assert AWS_KEY not in refusal
    assert "pl4nted-literal" not in refusal
    assert "tok3n-of-mine" not in refusal
    assert "abc" not in refusal


@pytest.mark.parametrize("url", ["ssh://git@git.example.com/a.git#v1", "git@git.example.com:a.git#v1"])
def test_a_repository_that_is_asked_for_with_a_key_of_the_pods_is_fine(url: str) -> None:
    assert refusals(safe({}, repo=url)) == []


@pytest.mark.parametrize(
    ("config", "refused"),
    [
        ({"headers": {"Authorization": "Basic bWU6aHVudGVyMg=="}}, "node.config.headers.Authorization of node 'call'"),
        ({"headers": {"X-API-Key": "literal"}}, "node.config.headers.X-API-Key of node 'call' holds a credential"),
        ({"headers": {"Authorization": "Bearer {{env.API_TOKEN}}"}}, ""),
        ({"headers": {"x": f"key {AWS_KEY}"}}, "node.config.headers.x of node 'call' holds an access key of AWS"),
        ({"auth": {"token": "literal"}}, "node.config.auth.token of node 'call' holds a credential"),
        ({"auth": {"token": "{{fetch.output.token}}"}}, ""),
        ({"auth": {"credential": ""}, "tokens": 3}, ""),
    ],
)
def test_a_node_holds_no_credential(config: dict[str, Any], refused: str) -> None:
    found = refusals(safe({}, task("call", function="", node=Node("http-request", config))))
    assert len(found) == (1 if refused else 0)
    assert refused in "".join(found)


@pytest.mark.parametrize(
    ("argv", "refused"),
    [
        (("--api-token", "abc"), "--api-token is given a credential"),
        (("--api-token=abc",), "--api-token is given a credential"),
        (("--key", AWS_KEY), "--key is given a credential"),
        (("--other", "pl4nted-literal"), "--other is given a credential"),
        (("--count", "3", "--verbose", "--api-token-file", "x"), ""),
    ],
)
def test_arguments_of_the_script_hold_no_credential(argv: tuple[str, ...], refused: str) -> None:
    found = refusals(safe({"SECRET_KEY": "pl4nted-literal"}, argv=argv))
    assert len(found) == (1 if refused else 0)
    assert refused in "".join(found)


def test_the_command_for_the_secret_has_placeholders() -> None:
    found = safe({"ACCESS_KEY": "abc", "TOKEN": {"env": "API_TOKEN"}, "MORE": {"secret": {"name": "b", "key": "c"}}})
    assert create_secret_command(found.references, SECRET, "airflow") == (
        "kubectl create secret generic my-flow-secrets --namespace airflow"
        " --from-literal=ACCESS_KEY='<ACCESS_KEY>' --from-literal=API_TOKEN='<API_TOKEN>'"
    )
    assert create_secret_command((), SECRET) == ""


def test_an_empty_pipeline_has_nothing_to_say() -> None:
    found = safe({})
    assert (found.profile, found.references, found.warnings, found.refusals, found.literals) == ({}, (), (), (), {})
