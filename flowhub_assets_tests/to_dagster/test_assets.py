"""A flow's tasks as assets: keys, groups, what the UI shows of them, and names that are not ASCII."""

from __future__ import annotations

import json
from pathlib import Path

from dagster import AssetKey, DagsterInstance

from flowhub_assets.names import dagster_name
from flowhub_assets_tests.workflows import Workflows, metadata_of

DESCRIBED = """
    @task(image="python:3.11-slim", cpu="500m", memory="1Gi", gpu="1", timeout=60)
    def load(args):
        '''Reads the numbers.'''
        return {**args, "numbers": [1, 2, 3]}

    @task
    def total(args):
        return {"total": sum(args["numbers"])}

    @flow(name="my-workflow", description="Sums up.", tags=["nightly"], owners=["team:data", "kim@example.com"])
    def main(args):
        return total(load(args))
"""


def test_one_asset_for_each_task_with_all_that_its_writer_said(workflows: Workflows) -> None:
    path = workflows.write("sums.py", DESCRIBED)
    graph = workflows.repository().asset_graph
    load, total = AssetKey(["my_workflow", "load"]), AssetKey(["my_workflow", "total"])
    assert set(graph.get_all_asset_keys()) == {load, total}
    node = graph.get(load)
    assert node.description == "Reads the numbers."
    assert node.group_name == "my_workflow"
    assert set(node.owners) == {"team:data", "kim@example.com"}
    assert set(node.kinds) == {"python", "kubernetes", "gpu"}
    assert "nightly" in node.tags
    assert graph.get(total).parent_keys == {load}
    assert set(graph.get(total).kinds) == {"python"}
    (reference,) = node.metadata["dagster/code_references"].code_references
    line = path.read_text().splitlines().index("def load(args):") + 1
    assert reference.file_path == str(path)
    # The decorator or the def: both lead a reader to the task.
    assert reference.line_number in (line - 1, line)
    assert node.metadata["source"] == f"{path}:{reference.line_number}"
    placement = {"image": "python:3.11-slim", "cpu": "500m", "memory": "1Gi", "gpu": "1"}
    assert node.metadata["placement"].value == placement
    assert node.metadata["timeout (s)"] == 60
    assert "placement" not in graph.get(total).metadata


def test_a_flow_has_a_job_of_its_name(workflows: Workflows) -> None:
    workflows.write("sums.py", DESCRIBED)
    repository = workflows.repository()
    job = repository.get_job("my_workflow")
    assert job.description == "Sums up."
    assert job.tags["nightly"] == ""
    assert set(job.asset_layer.selected_asset_keys) == set(repository.asset_graph.get_all_asset_keys())
    assert {node.definition.name for node in job.nodes} == {"my_workflow__load", "my_workflow__total"}


def test_the_ui_shows_preview_size_place_and_what_a_task_showed(
    workflows: Workflows, instance: DagsterInstance
) -> None:
    text = """
        from flowhub_assets import show

        @task
        def report(args):
            show("rows", [{"name": "가", "count": 1, "share": 0.5}, {"name": "b", "count": 2, "share": 1}])
            show("note", "**bold**")
            show("score", 0.9)
            show("plot", b"\\x89PNG\\r\\n\\x1a\\n" + b"0" * 10)
            return {"text": "``` 안녕 ```"}

        @flow
        def shows(args):
            return report(args)
    """
    workflows.write("shows.py", text)
    result = workflows.run("shows", instance)
    metadata = metadata_of(result, "report")
    assert json.loads(metadata["preview"].value.split("\n", 1)[1].rsplit("\n", 1)[0]) == {"text": "``` 안녕 ```"}
    assert metadata["preview"].value.startswith("````json\n")
    assert metadata["size (bytes)"].value == len(json.dumps({"text": "``` 안녕 ```"}, ensure_ascii=False).encode())
    assert metadata["rows"].records[0].data == {"name": "가", "count": 1, "share": 0.5}
    types = {column.name: column.type for column in metadata["rows"].schema.columns}
    assert types == {"name": "string", "count": "int", "share": "float"}
    assert metadata["note"].value == "**bold**"
    assert metadata["score"].value == 0.9
    assert metadata["plot"].value.startswith("![plot](data:image/png;base64,")
    saved = metadata["saved as"].value
    assert json.loads(Path(saved).read_text("utf-8")) == {"text": "``` 안녕 ```"}


def test_korean_names_from_the_file_to_the_value(workflows: Workflows, instance: DagsterInstance) -> None:
    text = """
        @task(name="음성추출")
        def extract(args):
            return {"글": "안녕", "이름": args.get("이름")}

        @task
        def 요약(args):
            '''요약을 만든다.'''
            return {**args, "요약": args["글"] * 2}

        @flow(name="회의록.요약", params={"이름": "김"}, tags=["회의"])
        def main(args):
            return 요약(extract(args))
    """
    workflows.write("회의.py", text)
    job = dagster_name("회의록.요약")
    result = workflows.repository().get_job(job).execute_in_process(instance=instance)
    assert result.success
    value = result.asset_value(AssetKey([job, dagster_name("요약")]))
    assert value == {"글": "안녕", "이름": "김", "요약": "안녕안녕"}
    latest = workflows.folder.parent / "tmp" / "회의록.요약" / "latest"
    assert json.loads((latest / "음성추출.json").read_text("utf-8")) == {"글": "안녕", "이름": "김"}


def test_a_flow_with_two_hundred_tasks_resolves(workflows: Workflows) -> None:
    tasks = "".join(f"@task\ndef step_{n}(args):\n    return args\n\n" for n in range(200))
    calls = "".join(f"    args = step_{n}(args)\n" for n in range(200))
    workflows.write("long.py", f"{tasks}@flow\ndef long(args):\n{calls}    return args\n")
    job = workflows.repository().get_job("long")
    assert len(job.nodes) == 200
    assert len(workflows.repository().asset_graph.get_all_asset_keys()) == 200


def test_two_parameters_and_one_upstream_twice(workflows: Workflows, instance: DagsterInstance) -> None:
    text = """
        @task
        def left(args):
            return {"a": 1, "both": "left"}

        @task
        def right(args):
            return {"b": 2, "both": "right"}

        @task
        def apart(_d, _e):
            return {"d": _d["both"], "e": _e["both"], "env": sorted(k for k in _e["env"] if k.islower())}

        @task
        def merged(args):
            return {"both": args["both"], "a": args["a"], "b": args["b"]}

        @flow
        def shapes(args):
            l, r = left(args), right(args)
            return merged(l, r), apart(l, r)
    """
    workflows.write("shapes.py", text)
    result = workflows.run("shapes", instance)
    assert result.success
    assert result.asset_value(AssetKey(["shapes", "merged"])) == {"both": "right", "a": 1, "b": 2}
    assert result.asset_value(AssetKey(["shapes", "apart"])) == {"d": "left", "e": "right"}
