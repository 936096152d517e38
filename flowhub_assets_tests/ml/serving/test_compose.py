"""The folder for Docker: compose.yaml by the specification's schema, nginx.conf by nginx's own grammar."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import crossplane
import jsonschema
import pytest
import yaml

from flowhub_assets.errors import RunError
from flowhub_assets.ml.serving.compose import compose_files, compose_text, nginx_text
from flowhub_assets.ml.serving.rows import MOST_BYTES


def arm(alias: str, version: str, bento: Path | str = "") -> dict[str, Any]:
    return {"model": "iris", "alias": alias, "version": version, "bento": str(bento)}


ALONE = {"model": "iris", "share": 0.0, "champion": arm("champion", "3"), "challenger": None}
SPLIT = {**ALONE, "share": 0.125, "challenger": arm("challenger", "4")}
BOTH = pytest.mark.parametrize("built", [ALONE, SPLIT], ids=["alone", "split"])


def directives(block: list[dict[str, Any]], *path: str) -> list[list[str]]:
    """The arguments of each directive at that path of blocks."""
    name, *rest = path
    found = [one for one in block if one["directive"] == name]
    if not rest:
        return [one["args"] for one in found]
    return [args for one in found for args in directives(one.get("block", []), *rest)]


def parsed(text: str, folder: Path) -> list[dict[str, Any]]:
    (folder / "nginx.conf").write_text(text, "utf-8")
    told = crossplane.parse(str(folder / "nginx.conf"), single=True)
    assert told["errors"] == []
    assert told["status"] == "ok"
    block: list[dict[str, Any]] = told["config"][0]["parsed"]
    return block


@BOTH
def test_the_specification_takes_it(built: dict[str, Any]) -> None:
    schema = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    told = yaml.safe_load(compose_text(built, {"SERVING_PORT": 8099, "SERVING_INSTANCES": 3}))
    jsonschema.validate(told, json.loads(schema.read_text("utf-8")))
    aliases = [alias for alias in ("champion", "challenger") if built[alias]]
    assert list(told["services"]) == [*aliases, "nginx"]
    for alias in aliases:
        service = told["services"][alias]
        assert service["deploy"]["replicas"] == 3
        assert service["volumes"] == [f"./{alias}:/bento:ro"]
        assert "ports" not in service
    assert told["services"]["nginx"]["ports"] == ["127.0.0.1:8099:8080"]
    assert set(told["services"]["nginx"]["depends_on"]) == set(aliases)
    for service in told["services"].values():
        assert service["healthcheck"]["test"][0] == "CMD"
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]


@BOTH
def test_every_directive_is_one_of_nginx_s_where_it_may_stand(built: dict[str, Any], tmp_path: Path) -> None:
    block = parsed(nginx_text(built), tmp_path)
    aliases = [alias for alias in ("champion", "challenger") if built[alias]]
    assert directives(block, "http", "upstream") == [[alias] for alias in aliases]
    assert [args[0] for args in directives(block, "http", "upstream", "server")] == [f"{one}:3000" for one in aliases]
    assert directives(block, "http", "client_max_body_size") == [[str(MOST_BYTES)]]
    assert ["http://$version"] in directives(block, "http", "server", "location", "proxy_pass")
    # A caller's own header must not say that a request is not counted, and no token of theirs is for the model.
    assert directives(block, "http", "server", "proxy_pass_request_headers") == [["off"]]
    (numbers,) = [one for one in block[-1]["block"] if one["directive"] == "map" and one["args"][1] == "$number"]
    assert [(one["directive"], *one["args"]) for one in numbers["block"]] == [
        (alias, built[alias]["version"]) for alias in aliases
    ]


def test_the_split_gives_the_challenger_its_share_and_the_rest_to_the_champion(tmp_path: Path) -> None:
    (split,) = [one for one in parsed(nginx_text(SPLIT), tmp_path)[-1]["block"] if one["directive"] == "split_clients"]
    assert split["args"] == ["iris$key", "$drawn"]
    assert [(one["directive"], *one["args"]) for one in split["block"]] == [("12.50%", "challenger"), ("*", "champion")]
    (alone,) = [one for one in parsed(nginx_text(ALONE), tmp_path)[-1]["block"] if one["directive"] == "split_clients"]
    assert [(one["directive"], *one["args"]) for one in alone["block"]] == [("*", "champion")]


def test_nginx_answers_the_paths_that_the_front_answers(tmp_path: Path) -> None:
    places = directives(parsed(nginx_text(ALONE), tmp_path), "http", "server", "location")
    assert ["=", "/predict"] in places
    assert ["=", "/docs"] in places
    (pattern,) = [args[1] for args in places if args[0] == "~"]
    for path in ("/", "/docs.json", "/healthz", "/livez", "/readyz", "/static_content/swagger-ui.css"):
        assert re.match(pattern, path), path
    for path in ("/metrics", "/schema.json", "/predictx"):
        assert not re.match(pattern, path), path


def test_the_folder_is_whole_and_made_anew(tmp_path: Path) -> None:
    bento = tmp_path / "bento"
    (bento / "src").mkdir(parents=True)
    (bento / "bento.yaml").write_text("name: iris\n", "utf-8")
    env = {"WORKSPACE": str(tmp_path / "workspace")}
    (tmp_path / "workspace" / "serving" / "iris").mkdir(parents=True)
    built = {**SPLIT, "champion": arm("champion", "3", bento), "challenger": arm("challenger", "4", bento)}
    folder = Path(compose_files(built, env)["folder"])
    assert sorted(path.name for path in folder.iterdir()) == ["challenger", "champion", "compose.yaml", "nginx.conf"]
    assert (folder / "champion" / "bento.yaml").is_file()
    compose_files({**built, "challenger": None, "share": 0.0}, env)
    assert sorted(path.name for path in folder.iterdir()) == ["champion", "compose.yaml", "nginx.conf"]
    with pytest.raises(RunError, match="the bento is gone"):
        compose_files({**built, "champion": arm("champion", "3", tmp_path / "none")}, env)
    assert (folder / "champion" / "bento.yaml").is_file()
