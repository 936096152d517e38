from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from flowhub_assets_tests.kubernetes.admission import faults, quantity
from flowhub_assets_tests.kubernetes.container import expand
from flowhub_assets_tests.kubernetes.double import KubeDouble
from flowhub_assets_tests.kubernetes.fixtures import cluster, image_python
from flowhub_assets_tests.kubernetes.objects import Objects, Refused

__all__ = ["cluster", "image_python"]

SIDECAR = {
    "name": "airflow-xcom-sidecar",
    "image": "alpine",
    "command": ["sh", "-c", 'trap "exit 0" INT; while true; do sleep 1; done;'],
    "volumeMounts": [{"name": "xcom", "mountPath": "/airflow/xcom"}],
}


@pytest.fixture
def api(cluster: KubeDouble) -> Any:
    from kubernetes import client, config

    return client.CoreV1Api(config.new_client_from_config(str(cluster.kubeconfig)))


def pod(*words: str, name: str = "p", **spec: Any) -> dict[str, Any]:
    """A pod of one container that runs these words; what is not the pod's is its container's."""
    of_pod = {"volumes", "initContainers", "activeDeadlineSeconds", "terminationGracePeriodSeconds"}
    base = {"name": "base", "image": "python:3.11-slim", "command": list(words)}
    base |= {key: value for key, value in spec.items() if key not in of_pod}
    told = {key: value for key, value in spec.items() if key in of_pod}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"task": name}},
        "spec": {"restartPolicy": "Never", "containers": [base], **told},
    }


def script(text: str, name: str = "p", **spec: Any) -> dict[str, Any]:
    return pod("python", "-c", text, name=name, **spec)


def until(holds: Callable[[], Any], seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.01)
    return found


def ended(api: Any, name: str = "p") -> Any:
    def look() -> Any:
        found = api.read_namespaced_pod(name, "default")
        return found if found.status.phase in ("Succeeded", "Failed") else None

    return until(look)


def run(api: Any, manifest: dict[str, Any]) -> tuple[Any, str]:
    """The pod at its end, and the log of its first container."""
    api.create_namespaced_pod("default", manifest)
    name = manifest["metadata"]["name"]
    return ended(api, name), log_of(api, name, container="base")


def log_of(api: Any, name: str = "p", **words: Any) -> str:
    # Read as it comes: some clients give repr(bytes) as the text.
    text: str = api.read_namespaced_pod_log(name, "default", _preload_content=False, **words).data.decode()
    return text


def waiting(api: Any, name: str = "p") -> Any:
    def look() -> Any:
        state = api.read_namespaced_pod(name, "default").status.container_statuses[0].state.waiting
        return state if state and state.reason != "ContainerCreating" else None

    return until(look)


def test_a_pod_gets_its_own_variables_and_a_bare_python(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_THE_TEST", "must not get there")
    text = "import json, os; print(json.dumps(dict(os.environ)))\ntry:\n import yaml\nexcept ImportError: print('bare')"
    found, log = run(api, script(text, env=[{"name": "GREETING", "value": "안녕 'x' \"y\"\n{{ z }}"}]))
    first, second = log.splitlines()
    variables = json.loads(first)
    assert (found.status.phase, second) == ("Succeeded", "bare")
    assert variables.pop("GREETING") == "안녕 'x' \"y\"\n{{ z }}"
    assert set(variables) - {"LC_CTYPE"} == {"PATH", "HOME", "HOSTNAME", "TMPDIR"}


def test_status_of_a_failure_as_a_cluster_tells_it(api: Any) -> None:
    found, log = run(api, script("import sys; print('on its way'); print('broken', file=sys.stderr); sys.exit(3)"))
    (status,) = found.status.container_statuses
    state = status.state.terminated
    assert (found.status.phase, state.exit_code, state.reason) == ("Failed", 3, "Error")
    assert state.finished_at >= state.started_at
    assert sorted(log.splitlines()) == ["broken", "on its way"]


@pytest.mark.parametrize(("number", "code", "reason"), [(9, 137, "Error"), (15, 143, "Error")])
def test_death_by_a_signal(api: Any, number: int, code: int, reason: str) -> None:
    found, _ = run(api, script(f"import os; os.kill(os.getpid(), {number})"))
    state = found.status.container_statuses[0].state.terminated
    assert (state.exit_code, state.reason) == (code, reason)


def test_a_command_that_is_not_there(api: Any) -> None:
    found, _ = run(api, pod("no-such-program"))
    state = found.status.container_statuses[0].state.terminated
    assert (found.status.phase, state.exit_code, state.reason) == ("Failed", 128, "StartError")


def test_config_maps_become_files_in_one_projected_volume(cluster: KubeDouble, api: Any) -> None:
    first = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "code"}, "data": {"boot.py": "print(7)\n"}}
    second = {**first, "metadata": {"name": "code-2"}, "data": {}, "binaryData": {"code.tar": "AAEC"}}
    assert cluster.objects.apply(yaml.safe_dump_all([first, second])) == ["configmap/code", "configmap/code-2"]
    sources = [{"configMap": {"name": "code"}}, {"configMap": {"name": "code-2"}}]
    text = (
        "import os, sys; here = sys.argv[1]; print(sorted(os.listdir(here)), open(here + '/code.tar', 'rb').read());"
        "print(os.environ['CODE'] == here, sys.argv[2:])"
    )
    manifest = pod(
        *("python", "-c", text),
        args=["/opt/flowhub", "/opt/flowhub/boot.py", "/opt/flowhub2", "see /opt/flowhub"],
        env=[{"name": "CODE", "value": "/opt/flowhub"}],
        volumeMounts=[{"name": "code", "mountPath": "/opt/flowhub", "readOnly": True}],
        volumes=[{"name": "code", "projected": {"sources": sources}}],
    )
    _, log = run(api, manifest)
    first_line, second_line = log.splitlines()
    assert first_line == "['..2025_01_01_00_00_00.0000000000', '..data', 'boot.py', 'code.tar'] b'\\x00\\x01\\x02'"
    assert second_line.startswith("True [")
    real = json.loads(second_line.removeprefix("True ").replace("'", '"'))
    assert real[0].endswith("/boot.py")
    assert not real[0].startswith("/opt")
    assert real[1:] == ["/opt/flowhub2", "see /opt/flowhub"]


def test_init_containers_run_first_and_share_a_folder(api: Any) -> None:
    mount = [{"name": "shared", "mountPath": "/shared"}]
    write = "import sys; open(sys.argv[1], 'w').write('cloned')"
    init = {"name": "clone", "image": "git", "command": ["python", "-c", write, "/shared/it"], "volumeMounts": mount}
    read = pod("python", "-c", "import sys; print(open(sys.argv[1]).read())", "/shared/it", volumeMounts=mount)
    read["spec"] |= {"volumes": [{"name": "shared", "emptyDir": {}}], "initContainers": [init]}
    assert run(api, read)[1] == "cloned\n"


def test_a_failed_init_container_fails_the_pod(api: Any) -> None:
    init = {"name": "clone", "image": "git", "command": ["python", "-c", "raise SystemExit(4)"]}
    api.create_namespaced_pod("default", script("print('never')", initContainers=[init]))
    status = ended(api).status
    assert status.phase == "Failed"
    assert status.init_container_statuses[0].state.terminated.exit_code == 4
    assert status.container_statuses[0].state.waiting.reason == "PodInitializing"


def test_secrets_reach_the_process_and_a_missing_one_keeps_the_pod_waiting(cluster: KubeDouble, api: Any) -> None:
    cluster.objects.secret("keys", {"ACCESS_KEY": "s3cr3t"})
    env = [{"name": "ACCESS_KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "ACCESS_KEY"}}}]
    text = "import os; print(os.environ['ACCESS_KEY'])"
    assert run(api, script(text, env=env))[1] == "s3cr3t\n"
    for name, reference in (("q", {"name": "others", "key": "K"}), ("r", {"name": "keys", "key": "K"})):
        env = [{"name": "ACCESS_KEY", "valueFrom": {"secretKeyRef": reference}}]
        api.create_namespaced_pod("default", script(text, name=name, env=env))
    assert (waiting(api, "q").reason, waiting(api, "q").message) == (
        "CreateContainerConfigError",
        'secret "others" not found',
    )
    assert waiting(api, "r").message == "couldn't find key K in Secret default/keys"
    assert api.read_namespaced_pod("r", "default").status.phase == "Pending"


def test_a_missing_config_map_keeps_the_pod_pending_with_an_event(api: Any) -> None:
    api.create_namespaced_pod("default", script("pass", volumes=[{"name": "code", "configMap": {"name": "none"}}]))
    events = until(lambda: api.list_namespaced_event("default", field_selector="involvedObject.name=p").items[1:])
    assert [event.reason for event in events] == ["FailedMount"]
    assert 'configmap "none" not found' in events[0].message
    assert api.read_namespaced_pod("p", "default").status.phase == "Pending"


def test_log_can_be_followed_with_times_and_cut(api: Any) -> None:
    text = "import time\nfor n in range(3): print('line', n, flush=True); time.sleep(0.1)"
    api.create_namespaced_pod("default", script(text))
    until(lambda: api.read_namespaced_pod("p", "default").status.phase == "Running")
    lines = log_of(api, follow=True, timestamps=True).splitlines()
    assert [line.partition(" ")[2] for line in lines] == ["line 0", "line 1", "line 2"]
    assert all(line[10] == "T" and line.partition(" ")[0].endswith("Z") for line in lines)
    assert ended(api).status.phase == "Succeeded"
    assert log_of(api, tail_lines=1) == "line 2\n"
    assert log_of(api, since_seconds=600) == "line 0\nline 1\nline 2\n"


def test_the_sidecar_gives_the_result_and_is_ended(api: Any) -> None:
    from kubernetes.stream import stream

    write = "import sys; open(sys.argv[1], 'w').write('{\"a\": 1}')"
    mounts = SIDECAR["volumeMounts"]
    manifest = pod("python", "-c", write, "/airflow/xcom/return.json", volumeMounts=mounts)
    manifest["spec"]["volumes"] = [{"name": "xcom", "emptyDir": {}}]
    manifest["spec"]["containers"].append(SIDECAR)
    api.create_namespaced_pod("default", manifest)
    base_ended = lambda: api.read_namespaced_pod("p", "default").status.container_statuses[0].state.terminated  # noqa: E731
    assert until(base_ended).exit_code == 0
    assert api.read_namespaced_pod("p", "default").status.phase == "Running"
    words = {"name": "p", "namespace": "default", "container": SIDECAR["name"], "stdout": True, "stderr": True}
    command = ["/bin/sh", "-c", "if [ -s /airflow/xcom/return.json ]; then cat /airflow/xcom/return.json; fi; exit 5"]
    reading = stream(
        api.connect_get_namespaced_pod_exec, **words, command=command, stdin=False, tty=False, _preload_content=False
    )
    reading.run_forever(timeout=20)
    assert (reading.read_channel(1), reading.returncode) == ('{"a": 1}', 5)
    shell = stream(
        api.connect_get_namespaced_pod_exec,
        **words,
        command=["/bin/sh"],
        stdin=True,
        tty=False,
        _preload_content=False,
    )
    shell.write_stdin("kill -2 $(pgrep -u $(id -u) -f 'sh')\n")
    found = ended(api)
    assert found.status.phase == "Succeeded"
    assert found.status.container_statuses[1].state.terminated.exit_code == 0


def test_a_pod_is_told_to_fail(cluster: KubeDouble, api: Any) -> None:
    def named(name: str) -> Callable[[Any], bool]:
        return lambda manifest: manifest["metadata"]["name"] == name

    for what in ("image", "evicted", "oom", "lost"):
        cluster.fail(what, named(what))
        api.create_namespaced_pod("default", script("import time; time.sleep(60)", name=what))
    assert waiting(api, "image").reason == "ErrImagePull"
    evicted = ended(api, "evicted").status
    assert (evicted.phase, evicted.reason) == ("Failed", "Evicted")
    assert ended(api, "oom").status.container_statuses[0].state.terminated.reason == "OOMKilled"
    until(lambda: "lost" not in [found.metadata.name for found in api.list_namespaced_pod("default").items])
    assert run(api, script("print('the next time it does not')", name="image-2"))[1]


def test_deleting_ends_the_process_with_its_children(cluster: KubeDouble, api: Any, tmp_path: Path) -> None:
    from kubernetes.client import ApiException

    text = (
        "import subprocess, sys, time; child = subprocess.Popen(['sleep', '60']);"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    api.create_namespaced_pod("default", script(text))
    child = int(until(lambda: cluster.logs("p")))
    api.delete_namespaced_pod("p", "default")

    def is_gone() -> bool:
        try:
            api.read_namespaced_pod("p", "default")
        except ApiException as error:
            return bool(error.status == 404)
        return False

    until(is_gone)
    until(lambda: not is_running(child))


def is_running(process: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


def test_what_a_container_has_started_ends_with_it(api: Any) -> None:
    text = "import subprocess; print(subprocess.Popen(['sleep', '60']).pid)"
    found, log = run(api, script(text))
    assert found.status.phase == "Succeeded"
    until(lambda: not is_running(int(log)))


def test_a_pod_is_pending_while_one_of_its_containers_cannot_start(api: Any) -> None:
    manifest = script("import time; time.sleep(60)")
    env = [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "none", "key": "KEY"}}}]
    manifest["spec"]["containers"].append({"name": "other", "image": "python", "command": ["python"], "env": env})
    api.create_namespaced_pod("default", manifest)

    def first_runs() -> Any:
        status = api.read_namespaced_pod("p", "default").status
        return status if status.container_statuses[0].state.running else None

    assert until(first_runs).phase == "Pending"


def test_no_process_outlives_the_double(tmp_path: Path, image_python: Path) -> None:
    from kubernetes import client, config

    with KubeDouble(tmp_path, image_python) as cluster:
        api = client.CoreV1Api(config.new_client_from_config(str(cluster.kubeconfig)))
        ignoring = "import os, signal, time; signal.signal(15, signal.SIG_IGN); print(os.getpid(), flush=True)"
        api.create_namespaced_pod("default", script(ignoring + "; time.sleep(60)"))
        process = int(until(lambda: cluster.logs("p")))
    assert not Path(f"/proc/{process}").exists()


def test_deadline_of_a_pod(api: Any) -> None:
    found, _ = run(api, script("import time; time.sleep(60)", activeDeadlineSeconds=1))
    assert (found.status.phase, found.status.reason) == ("Failed", "DeadlineExceeded")


def test_an_invalid_pod_is_refused(cluster: KubeDouble, api: Any) -> None:
    from kubernetes.client import ApiException

    with pytest.raises(ApiException) as told:
        api.create_namespaced_pod("default", script("pass", name="Not_Legal"))
    assert told.value.status == 422
    assert "metadata.name" in json.loads(told.value.body)["message"]
    assert (cluster.posted, len(cluster.refused)) == ([], 1)
    api.create_namespaced_pod("default", script("pass"))
    with pytest.raises(ApiException, match="409"):
        api.create_namespaced_pod("default", script("pass"))
    assert [manifest["metadata"]["name"] for manifest in cluster.posted] == ["p"]


def test_labels_are_patched_and_selected(api: Any) -> None:
    api.create_namespaced_pod("default", script("pass"))
    api.patch_namespaced_pod("p", "default", {"metadata": {"labels": {"already_checked": "True"}}})
    assert api.list_namespaced_pod("default", label_selector="task=p,already_checked!=True").items == []
    (found,) = api.list_namespaced_pod("default", label_selector="task=p,already_checked=True").items
    assert found.metadata.labels == {"task": "p", "already_checked": "True"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda pod: pod["spec"].update(nodeselector={}), "nodeselector"),
        (lambda pod: pod["metadata"]["labels"].update(task="한글"), "metadata.labels"),
        (lambda pod: pod["metadata"]["labels"].update(task="x" * 64), "metadata.labels"),
        (lambda pod: pod["spec"]["containers"][0].update(name="a.b"), "name"),
        (lambda pod: pod["spec"]["containers"][0].update(env=[{"name": "a b", "value": ""}]), "env"),
        (lambda pod: pod["spec"]["containers"][0].update(volumeMounts=[{"name": "v", "mountPath": "/v"}]), "Not found"),
        (lambda pod: pod["spec"]["containers"][0].update(resources={"limits": {"cpu": "much"}}), "cpu"),
        (
            lambda pod: pod["spec"]["containers"][0].update(
                resources={"limits": {"memory": "1Gi"}, "requests": {"memory": "2Gi"}}
            ),
            "memory limit",
        ),
        (
            lambda pod: pod["spec"]["containers"][0].update(resources={"requests": {"nvidia.com/gpu": "1"}}),
            "nvidia.com/gpu",
        ),
    ],
)
def test_what_an_api_server_refuses(change: Callable[[Any], Any], said: str) -> None:
    manifest = pod("true")
    assert faults(manifest) == []
    change(manifest)
    (fault,) = faults(manifest)
    assert said in fault


@pytest.mark.parametrize(
    ("text", "amount"),
    [("500m", 0.5), ("2", 2), ("1Ki", 1024), ("1.5G", 1.5e9), ("2e3", 2000), ("1 Gi", None), ("", None)],
)
def test_quantities(text: str, amount: float | None) -> None:
    assert quantity(text) == amount


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("a $(KNOWN) b", "a value b"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$$(KNOWN)", "$(KNOWN)"),
        ("$$$(KNOWN)", "$value"),
        ("$$$$", "$$"),
        ("$KNOWN ${KNOWN} $", "$KNOWN ${KNOWN} $"),
        ("$(KNOWN", "$(KNOWN"),
        ("$(한)", "$(한)"),
        ("값 $$한", "값 $한"),
    ],
)
def test_kubernetes_expands_variables(text: str, made: str) -> None:
    assert expand(text, {"KNOWN": "value"}) == made


def test_a_dollar_before_a_letter_outside_ascii_spoils_it() -> None:
    assert expand("$한", {}) != "$한"


def config_map(**words: Any) -> str:
    return yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, **words})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (config_map(data={"a b": "x"}), "data"),
        (config_map(data={"a": 1}), "not of type"),
        (config_map(binaryData={"a": "not base64!"}), "base64|a"),
        (config_map(data={"a": "x" * 1024 * 1024, "b": "y"}), "1048576"),
        (config_map(data={"a": "x" * 262144}), "annotations: Too long"),
        (config_map(kind="Job"), "no matches for kind"),
    ],
)
def test_objects_that_are_refused(text: str, said: str) -> None:
    objects = Objects()
    with pytest.raises(Refused, match=said):
        objects.apply(text)
    assert objects.data == {}


def test_what_is_too_large_for_an_annotation_can_be_applied_by_the_server() -> None:
    objects = Objects()
    objects.apply(config_map(data={"a": "x" * 262144}), server_side=True)
    assert objects.get("ConfigMap", "default", "m") == {"a": b"x" * 262144}
