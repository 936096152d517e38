from __future__ import annotations

import threading
from typing import Any

import pytest

from flowhub_assets_tests.kubernetes.double import KubeDouble
from flowhub_assets_tests.kubernetes.fixtures import api, batch, cluster, image_python, job, names, script, until

__all__ = ["api", "batch", "cluster", "image_python"]


def config_map(name: str = "m", **words: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"of": name}}, **words}


def status_of(call: Any, *args: Any, **words: Any) -> int:
    from kubernetes.client import ApiException

    with pytest.raises(ApiException) as told:
        call(*args, **words)
    return int(told.value.status)


def test_config_maps_come_change_and_go(cluster: KubeDouble, api: Any) -> None:
    made = api.create_namespaced_config_map("default", config_map(data={"a": "1"}))
    assert status_of(api.create_namespaced_config_map, "default", config_map()) == 409
    api.patch_namespaced_config_map("m", "default", {"data": {"b": "2"}, "metadata": {"labels": {"of": None}}})
    found = api.read_namespaced_config_map("m", "default")
    assert (found.data, found.metadata.labels, found.metadata.uid) == ({"a": "1", "b": "2"}, {}, made.metadata.uid)
    assert int(found.metadata.resource_version) > int(made.metadata.resource_version)
    found.data = {"c": "3"}
    api.replace_namespaced_config_map("m", "default", found)
    assert status_of(api.replace_namespaced_config_map, "m", "default", found) == 409
    assert cluster.objects.get("ConfigMap", "default", "m") == {"c": b"3"}
    assert api.delete_namespaced_config_map("m", "default").status == "Success"
    assert status_of(api.read_namespaced_config_map, "m", "default") == 404


def test_a_secret_is_stored_in_base64(cluster: KubeDouble, api: Any) -> None:
    told = {"metadata": {"generateName": "keys-"}, "stringData": {"K": "값"}}
    made = api.create_namespaced_secret("default", told)
    assert made.metadata.name.startswith("keys-")
    assert (made.data, made.type, made.string_data) == ({"K": "6rCS"}, "Opaque", None)
    assert cluster.objects.get("Secret", "default", made.metadata.name) == {"K": "값".encode()}
    assert status_of(api.create_namespaced_secret, "default", {"metadata": {"name": "x"}, "data": {"K": "-"}}) == 422


def test_lists_are_of_one_namespace_or_of_all_and_selected(api: Any) -> None:
    for namespace, name in (("default", "a"), ("default", "b"), ("other", "c")):
        api.create_namespaced_config_map(namespace, config_map(name))
    assert names(api.list_namespaced_config_map("default")) == ["a", "b"]
    assert names(api.list_config_map_for_all_namespaces()) == ["a", "b", "c"]
    assert names(api.list_namespaced_config_map("default", label_selector="of in (b,c)")) == ["b"]
    assert names(api.list_namespaced_config_map("default", field_selector="metadata.name!=b")) == ["a"]
    assert status_of(api.list_namespaced_config_map, "default", field_selector="data=1") == 400
    api.delete_collection_namespaced_config_map("default", label_selector="of=a")
    assert names(api.list_config_map_for_all_namespaces()) == ["b", "c"]


def test_what_belongs_to_a_job_goes_with_it(cluster: KubeDouble, api: Any, batch: Any) -> None:
    owner = batch.create_namespaced_job("default", job("import time; time.sleep(60)"))
    kept = api.create_namespaced_config_map("default", config_map("kept"))
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": owner.metadata.uid}
    another = {"apiVersion": "v1", "kind": "ConfigMap", "name": "kept", "uid": kept.metadata.uid}
    for name, references in (("own", [reference]), ("shared", [reference, another])):
        told = config_map(name)
        told["metadata"]["ownerReferences"] = references
        api.create_namespaced_config_map("default", told)
    api.create_namespaced_secret("default", {"metadata": {"name": "own", "ownerReferences": [reference]}})
    child = job("import time; time.sleep(60)", name="child")
    child["metadata"]["ownerReferences"] = [reference]
    batch.create_namespaced_job("default", child)
    until(lambda: len([one for one in cluster.left() if one.startswith("Pod")]) == 2)
    batch.delete_namespaced_job("j", "default", propagation_policy="Background")
    until(lambda: cluster.left() == ["ConfigMap default/kept", "ConfigMap default/shared"])
    (left,) = api.read_namespaced_config_map("shared", "default").metadata.owner_references
    assert left.name == "kept"


def test_what_has_no_owner_any_more_is_collected(api: Any) -> None:
    told = config_map()
    told["metadata"]["ownerReferences"] = [{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "none"}]
    api.create_namespaced_config_map("default", told)
    until(lambda: not names(api.list_namespaced_config_map("default")))


def test_a_foreground_deletion_waits_for_what_blocks_it(cluster: KubeDouble, api: Any, batch: Any) -> None:
    text = "import signal, time; signal.signal(15, lambda *_: time.sleep(0.5) or exit());"
    text += "print('up', flush=True); time.sleep(60)"
    batch.create_namespaced_job("default", job(text))
    until(lambda: cluster.all_pods and cluster.logs("j") == "up\n")
    batch.delete_namespaced_job("j", "default", propagation_policy="Foreground")
    found = batch.read_namespaced_job("j", "default").metadata
    assert (found.finalizers, bool(found.deletion_timestamp)) == (["foregroundDeletion"], True)
    until(lambda: not cluster.left())


def test_a_watch_tells_what_becomes_of_a_pod(api: Any) -> None:
    from kubernetes.watch import Watch

    version = api.list_namespaced_pod("default").metadata.resource_version
    api.create_namespaced_pod("default", script("print(1)", name="other"))
    api.create_namespaced_pod("default", script("print(1)"))
    watch, told = Watch(), []
    stream = watch.stream(
        api.list_namespaced_pod, "default", label_selector="task=p", resource_version=version, timeout_seconds=20
    )
    for event in stream:
        pod = event["object"]
        told.append((event["type"], pod.metadata.name, pod.status.phase, int(pod.metadata.resource_version)))
        if pod.status.phase == "Succeeded" and not pod.metadata.deletion_timestamp:
            api.delete_namespaced_pod("p", "default")
        if event["type"] == "DELETED":
            watch.stop()
    kinds, names_told, phases, versions = zip(*told, strict=True)
    assert (kinds[0], kinds[-1], set(kinds[1:-1])) == ("ADDED", "DELETED", {"MODIFIED"})
    assert (set(names_told), sorted(set(phases), key=phases.index)) == ({"p"}, ["Pending", "Running", "Succeeded"])
    assert list(versions) == sorted(set(versions))
    assert versions[0] > int(version)


def test_a_watch_without_a_version_begins_with_what_is_there(api: Any) -> None:
    from kubernetes.watch import Watch

    api.create_namespaced_config_map("default", config_map("a"))
    stream = Watch().stream(api.list_namespaced_config_map, "default", timeout_seconds=20)
    assert (first := next(stream))["type"] == "ADDED"
    api.patch_namespaced_config_map("a", "default", {"metadata": {"labels": {"of": "x"}}})
    assert ((second := next(stream))["type"], second["object"].metadata.labels) == ("MODIFIED", {"of": "x"})
    assert first["object"].metadata.uid == second["object"].metadata.uid


def test_an_object_that_no_longer_fits_a_watch_is_gone_for_it(api: Any) -> None:
    from kubernetes.watch import Watch

    api.create_namespaced_config_map("default", config_map("a"))
    stream = Watch().stream(api.list_namespaced_config_map, "default", label_selector="of=a", timeout_seconds=20)
    assert next(stream)["type"] == "ADDED"
    api.patch_namespaced_config_map("a", "default", {"metadata": {"labels": {"of": "b"}}})
    assert next(stream)["type"] == "DELETED"
    api.patch_namespaced_config_map("a", "default", {"metadata": {"labels": {"of": "a"}}})
    assert next(stream)["type"] == "ADDED"


def test_a_version_that_is_too_old_is_gone(cluster: KubeDouble, api: Any) -> None:
    from kubernetes.client import ApiException
    from kubernetes.watch import Watch

    version = api.list_namespaced_config_map("default").metadata.resource_version
    api.create_namespaced_config_map("default", config_map("a"))
    cluster.forget()
    stream = Watch().stream(api.list_namespaced_config_map, "default", resource_version=version, timeout_seconds=20)
    with pytest.raises(ApiException, match="too old resource version") as told:
        next(stream)
    assert told.value.status == 410
    now = api.list_namespaced_config_map("default").metadata.resource_version
    assert (
        list(Watch().stream(api.list_namespaced_config_map, "default", resource_version=now, timeout_seconds=1)) == []
    )


def test_jobs_and_events_are_watched_too(api: Any, batch: Any) -> None:
    from kubernetes.watch import Watch

    batch.create_namespaced_job("default", job("pass"))
    for event in Watch().stream(batch.list_namespaced_job, "default", timeout_seconds=20):
        if event["object"].status.succeeded:
            break
    reasons = []
    for event in Watch().stream(
        api.list_namespaced_event, "default", field_selector="involvedObject.kind=Pod", timeout_seconds=20
    ):
        reasons.append(event["object"].reason)
        if reasons[-1] == "Started":
            break
    assert reasons == ["Scheduled", "Pulled", "Created", "Started"]


def test_a_pod_is_evicted_over_the_api(api: Any) -> None:
    from kubernetes import client

    api.create_namespaced_pod("default", script("import time; time.sleep(60)"))
    until(lambda: api.read_namespaced_pod("p", "default").status.phase == "Running")
    api.create_namespaced_pod_eviction("p", "default", client.V1Eviction(metadata=client.V1ObjectMeta(name="p")))
    until(lambda: not names(api.list_namespaced_pod("default")))


def test_a_deletion_can_name_the_uid_that_it_means(api: Any) -> None:
    from kubernetes import client

    api.create_namespaced_config_map("default", config_map())
    options = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid="another"))
    assert status_of(api.delete_namespaced_config_map, "m", "default", body=options) == 409


def test_what_of_a_pod_is_fixed_cannot_be_patched(api: Any, batch: Any) -> None:
    api.create_namespaced_pod("default", script("import time; time.sleep(60)"))
    told = [{"name": "base", "image": "another"}]
    assert status_of(api.patch_namespaced_pod, "p", "default", {"spec": {"containers": told}}) == 422
    assert status_of(api.patch_namespaced_pod, "p", "default", {"metadata": {"labels": {"한": "글"}}}) == 422
    batch.create_namespaced_job("default", job("pass"))
    told_job = {"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}}
    assert status_of(batch.patch_namespaced_job, "j", "default", told_job) == 422


def test_objects_can_be_made_from_many_threads(cluster: KubeDouble, api: Any) -> None:
    def make(number: int) -> None:
        cluster.objects.secret(f"s-{number}", {"K": str(number)})

    threads = [threading.Thread(target=make, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    found = api.list_namespaced_secret("default").items
    assert len({one.metadata.resource_version for one in found}) == len(found) == 20
