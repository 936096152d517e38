"""Exported pipelines in a real Airflow: names and values that would be code, a template or a variable elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowhub_assets.errors import DefinitionError
from flowhub_assets.to_airflow.export import export
from flowhub_assets_tests.airflow.environments import Environment
from flowhub_assets_tests.airflow.export_lab import Case, Ended, load, run_cases, run_locally, write_case
from flowhub_assets_tests.airflow.fixtures import airflow  # noqa: F401 - a fixture

HEAD = "import os\nfrom flowhub import flow, task\n"

#: Texts that a shell, Kubernetes, Jinja, YAML, Python or Airflow could take for something else.
HOSTILE = [
    "{{ run_id }}",
    "{% raw %}",
    "{# no #}",
    "$(HOME)",
    "$(FLOWHUB_STEP)",
    "$$(HOME) $$ $한 $",
    "'; import os; os._exit(7) #",
    '"\\',
    "`id` && $(id) | id > /dev/null",
    "two\nlines\r\n\ttab",
    "\x00 \x1b \x7f \x85 \u2028 \ufeff \ufffe",
    "한국어 😀 é \U0010ffff",
    "flow.sh",
    "notes.md",
    "!!python/object/apply:os._exit [7]",
    "%(x)s {x} %s \\u0024",
    "",
    " ",
]

#: A name as long as there can be, Korean ones, and some that differ in what Kubernetes and Airflow make alike.
NAMES = ["x" * 200, "불러오기", "보고서.v2", "a.b-c", "A.B-D", "Exec", "exec2", "1st", "None_", "kube.system"]

_NAMED = "\n".join(
    f"""
@task(name={name!r})
def step_{number}(args):
    return {{"from {number}": args["env"]["task"], "x": [args.get("x"), {number}]}}
"""
    for number, name in enumerate(NAMES)
)
_BODY = "\n".join(f"    args = step_{number}(args)" for number in range(len(NAMES)))
NAMED = HEAD + _NAMED + f"\n@flow(name='보고서.{'y' * 180}')\ndef main(args):\n{_BODY}\n    return args\n"

BRANCHES = (
    HEAD
    + f"""
@task(name="{"d" * 200}")
def decide(args):
    return args["case"]


@task
def one(args):
    return {{"one": args["case"]}}


@task
def other(args):
    return {{"other": 1}}


@task
def each(args):
    return {{"of": args["item"]}}


CASES = ["{{{{ ds }}}}", "$(HOME) 'a' \\"b\\"", "서울", "{"p" * 300}", "true", "True"]


@flow(params={{"case": "{{{{ ds }}}}", "{{{{ ds }}}}": [1, 2]}})
def main(args):
    choice = decide.branch(args, cases=CASES)
    left = one(choice["{{{{ ds }}}}"])
    right = other(choice["{"p" * 300}"])
    return each.map(left, right, args, over="{{{{ ds }}}}")
"""
)

VALUES = (
    f"{HEAD}\nHOSTILE = {HOSTILE!a}\n"
    """\
KEPT = ("HOSTILE", "A {{ ds }} $(HOME)")


@task(env={"LAID OVER {{ ds }}": HOSTILE})
def first(args):
    env = args["env"]
    long = args.pop("long")
    return {
        **{key: value for key, value in args.items() if key != "env"},
        "long": [len(long), sum(map(ord, long))],
        "profile": [env[key] for key in KEPT],
        "laid over": env["LAID OVER {{ ds }}"],
        "run": env["run_id"],
        "left over": [name for name in os.environ if name.startswith("FLOWHUB")],
    }


@task
def second(args):
    return {key: value for key, value in args.items() if key != "env"}


@task
def breaks(args):
    raise ValueError("".join(args["hostile"]))


@task
def told(args):
    return {key: args[key] for key in ("failed_task", "error", "error_type")}


@flow(
    name="values",
    description="a flow of {{ ds }} and $(HOME)" * 20 + ".md",
    params={"default": HOSTILE, "{{ ds }}": "$(HOME)", "long": "", "hostile": []},
    tags=["{{ ds }}", "$(HOME)"],
    annotations={"example.com/hostile": "".join(HOSTILE), "example.com/jinja": "{{ ds }}"},
    on_failure=told,
)
def main(args):
    return breaks(second(first(args)))
"""
)

CASES = {
    "names": Case(NAMED, conf={"x": "{{ ds }}"}),
    "branches": Case(BRANCHES),
    "values": Case(
        VALUES,
        conf={"hostile": HOSTILE, **{f"key {text}": text for text in HOSTILE}, "long": "한{{" * 20_000},
        profile={"HOSTILE": HOSTILE, "A {{ ds }} $(HOME)": {key: key for key in HOSTILE}},
        run_id="manual__2026-01-01T00:00:00+00:00",
    ),
}


@pytest.fixture(scope="module")
def ended(airflow: Environment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:  # noqa: F811
    """All cases, run in one process of Airflow."""
    return run_cases(airflow, CASES, tmp_path_factory.mktemp("runs"), {})


# The first one waits for all runs.
@pytest.mark.timeout(600)
def test_names_of_any_script_and_length_give_the_local_values(ended: dict[str, Ended], tmp_path: Path) -> None:
    run, local = ended["names"], run_locally(CASES["names"], tmp_path)
    assert run.state == "success"
    assert {name: run.value(name) for name in NAMES} == {name: local.tasks[name].value for name in NAMES}


@pytest.mark.timeout(600)
def test_cases_and_keys_of_any_text_are_no_templates(ended: dict[str, Ended], tmp_path: Path) -> None:
    run, local = ended["branches"], run_locally(CASES["branches"], tmp_path)
    assert run.state == "success", run.report
    assert run.value("one") == local.tasks["one"].value
    assert run.task("other")["state"] == "skipped"
    loop = run.document("each")["loop"]
    assert {loop["into"]: [one["value"]["result"] for one in loop["results"]]} == local.tasks["each"].value


@pytest.mark.timeout(600)
def test_values_of_any_text_arrive_as_they_are(
    ended: dict[str, Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLOWHUB_AIRFLOW_ENVIRONMENTS", raising=False)
    run, local = ended["values"], run_locally(CASES["values"], tmp_path)
    expected = {**(local.tasks["first"].value or {}), "run": CASES["values"].run_id}
    assert run.value("first") == expected
    assert run.value("second") == expected
    assert expected["hostile"] == expected["profile"][0] == expected["laid over"] == HOSTILE
    assert expected["left over"] == []


@pytest.mark.timeout(600)
def test_an_error_of_any_text_is_told_as_it_is(ended: dict[str, Ended]) -> None:
    run = ended["values"]
    assert run.state == "failed"
    told = {"failed_task": "breaks", "error": "".join(HOSTILE), "error_type": "ValueError"}
    assert run.value("told") == told
    assert run.states()["flowhub.outcome"] == "failed"


@pytest.mark.timeout(600)
def test_kubernetes_gets_words_as_they_were_written(ended: dict[str, Ended]) -> None:
    pods = ended["values"].pods
    assert len(pods) == 4
    for pod in pods:
        annotations = pod["metadata"]["annotations"]
        assert annotations["example.com/hostile"] == "".join(HOSTILE)
        assert annotations["example.com/jinja"] == "{{ ds }}"
        (base, _) = pod["spec"]["containers"]
        assert base["command"] == ["python", "/opt/flowhub/boot.py"]
        assert base["args"] == ["--module", "flowhub_assets.from_python.pod", "--result", "/airflow/xcom/return.json"]
        # What a cluster would replace in a variable: it is not there.
        assert not [one for one in base["env"] if "$" in one["value"]]


FLOW = """from flowhub import flow, task
@task(name={task!r})
def a(args):
    return args


@flow(name={flow!r}, **{words!r})
def main(args):
    return a(args)
"""
PORTS = """from flowhub import flow, task
@task
def a(args):
    return "a b"


@task
def b(args):
    return args


@flow
def main(args):
    choice = a.branch(args, cases=["a b", "a_b"])
    return b(choice["a b"])
"""


@pytest.mark.parametrize(
    "text",
    [
        *(
            FLOW.format(task=name, flow="f", words={})
            for name in ("{{ x }}", "$(HOME)", "a b", "a'b", "a\nb", "", "é" * 101)
        ),
        *(FLOW.format(task="a", flow=name, words={}) for name in ("{{ x }}", "$(HOME)", "../x", "a/b", "x" * 201)),
        FLOW.format(task="a", flow="f", words={"annotations": {"{{ x }}": "y"}}),
        FLOW.format(task="a", flow="f", words={"namespace": "$(HOME)"}),
        FLOW.format(task="flowhub.outcome", flow="f", words={}).replace("@flow(", "@flow(on_failure=a, "),
        PORTS,
    ],
)
def test_what_has_no_safe_name_is_refused_with_a_reason(text: str, tmp_path: Path) -> None:
    file = write_case(Case(text), tmp_path)
    with pytest.raises(DefinitionError) as refused:
        export(load(file).pipeline, "default")
    assert refused.value.remedy
    assert str(file) in str(refused.value.where)
