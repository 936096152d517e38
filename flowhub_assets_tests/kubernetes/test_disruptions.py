from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets_tests.kubernetes.double import KubeDouble
from flowhub_assets_tests.kubernetes.fixtures import api, cluster, image_python, names, script, until
from flowhub_assets_tests.kubernetes.scheduling import Node

__all__ = ["api", "cluster", "image_python"]

SLEEP = "import time; time.sleep(60)"


def read(api: Any, name: str = "p") -> Any:
    return api.read_namespaced_pod(name, "default")


def running(api: Any, manifest: dict[str, Any]) -> None:
    api.create_namespaced_pod("default", manifest)
    name = manifest["metadata"]["name"]
    until(lambda: read(api, name).status.phase == "Running")


def over(api: Any, name: str = "p") -> Any:
    return until(lambda: (found := read(api, name)).status.phase in ("Succeeded", "Failed") and found)


def disruption(pod: Any) -> str | None:
    return next((one.reason for one in pod.status.conditions if one.type == "DisruptionTarget"), None)


def reasons(api: Any, name: str = "p") -> list[str]:
    events = api.list_namespaced_event("default", field_selector=f"involvedObject.name={name}").items
    return [event.reason for event in events]


@pytest.mark.parametrize(
    ("act", "reason", "condition"),
    [("evict", "Evicted", "TerminationByKubelet"), ("terminate", "Terminated", "TerminationByKubelet")],
)
def test_a_pod_that_its_node_ends_stays_as_failed(
    cluster: KubeDouble, api: Any, act: str, reason: str, condition: str
) -> None:
    running(api, script(SLEEP))
    assert getattr(cluster, act)("p") == "p"
    found = over(api)
    assert (found.status.phase, found.status.reason, disruption(found)) == ("Failed", reason, condition)
    assert found.status.message
    assert cluster.left() == []


@pytest.mark.parametrize(
    ("act", "condition"),
    [("preempt", "PreemptionByScheduler"), ("drain", "EvictionByEvictionAPI"), ("delete_pod", None)],
)
def test_a_pod_that_is_deleted_has_its_grace(cluster: KubeDouble, api: Any, act: str, condition: str | None) -> None:
    text = "import signal, time\nsignal.signal(15, lambda *_: (time.sleep(0.5), print('clean'), exit(0)))\n"
    text += "print('up', flush=True)\ntime.sleep(60)"
    running(api, script(text))
    until(lambda: cluster.logs("p") == "up\n")
    getattr(cluster, act)("p")
    leaving = until(lambda: (found := read(api)).metadata.deletion_timestamp and found)
    assert (disruption(leaving), leaving.status.phase) == (condition, "Running")
    until(lambda: not names(api.list_namespaced_pod("default")))
    assert cluster.logs("p") == "up\nclean\n"
    assert "Killing" in reasons(api)


def test_a_lost_node_is_noticed_late(cluster: KubeDouble, api: Any) -> None:
    from kubernetes.client import ApiException

    running(api, script("import os, time; print(os.getpid(), flush=True); time.sleep(60)"))
    process = until(lambda: cluster.logs("p")).strip()
    cluster.lose_node("p")
    found = until(lambda: (found := read(api)).status.reason == "NodeLost" and found)
    ready = next(one for one in found.status.conditions if one.type == "Ready")
    assert (found.status.phase, ready.status, ready.reason) == ("Running", "False", "NodeLost")
    assert found.status.container_statuses[0].state.running
    with pytest.raises(ApiException, match="no route to host"):
        api.read_namespaced_pod_log("p", "default")
    until(lambda: disruption(read(api)) == "DeletionByTaintManager")
    until(lambda: not names(api.list_namespaced_pod("default")))
    assert not Path(f"/proc/{process}").exists()


@pytest.mark.parametrize(("act", "reason"), [("oom", "OOMKilled"), ("kill", "Error")])
def test_a_killed_container(cluster: KubeDouble, api: Any, act: str, reason: str) -> None:
    running(api, script(SLEEP))
    getattr(cluster, act)("p")
    state = over(api).status.container_statuses[0].state.terminated
    assert (state.exit_code, state.reason) == (137, reason)


def test_what_is_not_there_cannot_be_disrupted(cluster: KubeDouble) -> None:
    with pytest.raises(LookupError, match="no living pod"):
        cluster.evict("p")
    with pytest.raises(LookupError, match="'nonsense' is none of"):
        cluster.fail("nonsense")


def test_only_the_process_itself_is_told_to_end(cluster: KubeDouble, api: Any) -> None:
    child = "import signal, time; signal.signal(15, lambda *_: print('child', flush=True)); print('up', flush=True);"
    child += "time.sleep(60)"
    text = "import signal, subprocess, sys, time\n"
    text += "signal.signal(15, lambda *_: (print('told', flush=True), time.sleep(0.3), exit(0)))\n"
    text += f"subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    api.create_namespaced_pod("default", script(text))
    until(lambda: cluster.logs("p") == "up\n")
    cluster.delete_pod("p")
    until(lambda: not names(api.list_namespaced_pod("default")))
    assert cluster.logs("p") == "up\ntold\n"


@pytest.mark.parametrize("act", ["evict", "delete_pod"])
def test_a_pod_that_waits_can_be_ended_too(cluster: KubeDouble, api: Any, act: str) -> None:
    cluster.fail("image", seconds=1)
    api.create_namespaced_pod("default", script("print('ran')"))
    until(lambda: "Failed" in reasons(api))
    getattr(cluster, act)("p")
    until(lambda: cluster.left() == [])
    time.sleep(1.5)
    assert cluster.logs("p") == ""


def test_memory_limits_are_enforced(api: Any) -> None:
    text = "import time; held = bytearray(150 * 2**20); held[::4096] = b'x' * len(held[::4096]); time.sleep(60)"
    limits = {"limits": {"memory": "64Mi"}}
    api.create_namespaced_pod("default", script(text, resources=limits))
    state = over(api).status.container_statuses[0].state.terminated
    assert (state.exit_code, state.reason) == (137, "OOMKilled")
    api.create_namespaced_pod("default", script("print('small')", name="q", resources=limits))
    assert over(api, "q").status.phase == "Succeeded"


def test_memory_of_a_child_counts(api: Any) -> None:
    child = "import time; held = bytearray(150 * 2**20); held[::4096] = b'x' * len(held[::4096]); time.sleep(60)"
    text = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    api.create_namespaced_pod("default", script(text, resources={"limits": {"memory": "64Mi"}}))
    assert over(api).status.container_statuses[0].state.terminated.reason == "OOMKilled"


def test_an_image_that_cannot_be_pulled_backs_off(cluster: KubeDouble, api: Any) -> None:
    cluster.fail("image")
    api.create_namespaced_pod("default", script("pass"))

    def state() -> Any:
        statuses = read(api).status.container_statuses
        return statuses[0].state.waiting if statuses else None

    until(lambda: state() and state().reason == "ErrImagePull")
    found = until(lambda: state().reason == "ImagePullBackOff" and state())
    assert found.message.startswith('Back-off pulling image "python:3.11-slim": ErrImagePull: failed to pull')
    assert reasons(api)[:6] == ["Scheduled", "Pulling", "Failed", "Failed", "BackOff", "Failed"]
    assert read(api).status.phase == "Pending"


def test_an_image_can_be_pulled_in_the_end(cluster: KubeDouble, api: Any) -> None:
    cluster.fail("image", seconds=0.5)
    api.create_namespaced_pod("default", script("pass"))
    assert over(api).status.phase == "Succeeded"
    assert {"BackOff", "Pulled"} <= set(reasons(api))


def test_a_pod_that_no_node_has_room_for_is_pending(cluster: KubeDouble, api: Any) -> None:
    cluster.fail("pending")
    api.create_namespaced_pod("default", script("pass"))
    event = until(lambda: api.list_namespaced_event("default").items)[0]
    assert (event.reason, event.type, event.source.component) == ("FailedScheduling", "Warning", "default-scheduler")
    (condition,) = read(api).status.conditions
    assert (condition.type, condition.status, condition.reason) == ("PodScheduled", "False", "Unschedulable")
    assert condition.message == event.message
    api.delete_namespaced_pod("p", "default")
    until(lambda: cluster.left() == [])


def test_nodes_have_only_what_they_have(tmp_path: Path, image_python: Path) -> None:
    from flowhub_assets_tests.kubernetes.fixtures import core_api

    taint = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    gpu = Node("gpu", {"nvidia.com/gpu": "1"}, {"accelerator": "a100"}, [taint])
    with KubeDouble(tmp_path, image_python, nodes=[Node("small", {"memory": "1Gi"}), gpu]) as cluster:
        api = core_api(cluster)
        asked = {"limits": {"nvidia.com/gpu": "1"}}
        first, second = script(SLEEP, name="a", resources=asked), script("pass", name="b", resources=asked)
        for manifest in (first, second):
            manifest["spec"]["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
            manifest["spec"]["nodeSelector"] = {"accelerator": "a100"}
        running(api, first)
        assert read(api, "a").spec.node_name == "gpu"
        api.create_namespaced_pod("default", second)
        api.create_namespaced_pod("default", script("pass", name="c", resources=asked))
        until(lambda: len(api.list_namespaced_event("default", field_selector="reason=FailedScheduling").items) == 2)
        told = {name: read(api, name).status.conditions[0].message for name in "bc"}
        assert "1 Insufficient nvidia.com/gpu, 1 node(s) didn't match Pod's node affinity/selector" in told["b"]
        assert "1 node(s) had untolerated taint {nvidia.com/gpu: present}" in told["c"]
        api.delete_namespaced_pod("a", "default", grace_period_seconds=0)
        assert over(api, "b").status.phase == "Succeeded"


def test_many_pods_share_few_places(tmp_path: Path, image_python: Path) -> None:
    from flowhub_assets_tests.kubernetes.fixtures import core_api

    with KubeDouble(tmp_path, image_python, max_running=4) as cluster:
        api = core_api(cluster)
        for number in range(30):
            manifest = script("pass", name=f"p-{number}")
            manifest["spec"]["containers"][0]["command"] = ["true"]
            api.create_namespaced_pod("default", manifest)
        most = 0

        def all_done() -> bool:
            nonlocal most
            found = api.list_namespaced_pod("default").items
            most = max(most, sum(bool(one.spec.node_name) and one.status.phase != "Succeeded" for one in found))
            return all(one.status.phase == "Succeeded" for one in found)

        until(all_done, 60)
        assert most <= 4


def test_a_secret_that_comes_late_lets_the_pod_start(cluster: KubeDouble, api: Any) -> None:
    env = [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "late", "key": "K"}}}]
    api.create_namespaced_pod("default", script("import os; print(os.environ['K'])", env=env))
    until(lambda: "Failed" in reasons(api))
    api.create_namespaced_secret("default", {"metadata": {"name": "late"}, "stringData": {"K": "v"}})
    assert over(api).status.phase == "Succeeded"
    assert cluster.logs("p") == "v\n"


def test_last_words_are_taken_from_a_file_or_from_the_log(api: Any) -> None:
    text = "import sys; open(sys.argv[1], 'w').write('the reason'); print('in the log'); sys.exit(2)"
    told = script(text, args=["/dev/termination-log"], terminationMessagePolicy="FallbackToLogsOnError")
    api.create_namespaced_pod("default", told)
    assert over(api).status.container_statuses[0].state.terminated.message == "the reason"
    told = script(text.replace("'the reason'", "''"), name="q", args=["/dev/termination-log"])
    told["spec"]["containers"][0]["terminationMessagePolicy"] = "FallbackToLogsOnError"
    api.create_namespaced_pod("default", told)
    assert over(api, "q").status.container_statuses[0].state.terminated.message == "in the log\n"


def test_a_followed_log_ends_with_a_lost_node(cluster: KubeDouble, api: Any) -> None:
    from urllib3.exceptions import HTTPError

    running(api, script("import time; print('up', flush=True); time.sleep(600)"))
    following = api.read_namespaced_pod_log("p", "default", follow=True, _preload_content=False)
    lines = following.stream()
    assert next(lines) == b"up\n"
    cluster.lose_node("p")
    try:
        assert list(lines) == []
    except HTTPError:
        pass
