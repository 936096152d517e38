# What Airflow does with PIPELINE: the same lines in every exported DAG, for Airflow 2.10 to 3.3.
import json
import time
from datetime import timedelta

import pendulum
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from kubernetes.client import models as k8s

try:
    from airflow.sdk import DAG, Asset, Param
    from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
except ImportError:
    try:
        from airflow.exceptions import AirflowException, AirflowFailException, AirflowSkipException
        from airflow.sdk import DAG, Asset, Param
    except ImportError:
        from airflow import DAG
        from airflow.datasets import Dataset as Asset
        from airflow.exceptions import AirflowException, AirflowFailException, AirflowSkipException
        from airflow.models.param import Param

try:
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.providers.standard.operators.python import BranchPythonOperator, PythonOperator
except ImportError:
    from airflow.operators.empty import EmptyOperator
    from airflow.operators.python import BranchPythonOperator, PythonOperator

FAILURE, LIST = "failure", "list"  # XComs beside a task's result: why it failed; the list of a loop
LONGEST = 96 * 1024  # characters in one environment variable: Linux takes 128 KiB


class Pod(KubernetesPodOperator):
    """One task of the pipeline, in a pod that has the pipeline's code. Nothing of it is a template for Airflow."""

    template_fields = ()
    custom_operator_name = "KubernetesPodOperator"

    def __init__(self, *, step, index=None, **kwargs):
        super().__init__(**kwargs)
        self.step = step
        self.index = index
        self.document = None
        self.ending = None

    def execute_sync(self, context):
        ti = context["ti"]
        order = order_for(self.step, self.index, context)
        self.document = self.ending = None
        self.env_vars = [k8s.V1EnvVar(name, value) for name, value in variables(order)]
        try:
            super().execute_sync(context)
        except BaseException as error:  # a timeout of Airflow is no Exception
            return self.failed(ti, order, error)
        return self.ended(ti)

    def ended(self, ti):
        document = self.document
        if not isinstance(document, dict):
            raise AirflowException(f"The pod of {ti.task_id} gave no result: its log says more.")
        if "skipped" in document:
            raise AirflowSkipException(document["skipped"])
        if "items" not in document:
            return document
        ti.xcom_push(key=LIST, value=document)
        return list(range(document["items"]))

    def failed(self, ti, order, error):
        said = (self.document or {}).get("failure")
        why = {**(said or told(self.step, error, self.ending)), "at": time.time()}
        why["failed_task"] = why["failed_task"] or self.step["tasks"][0]
        known = isinstance(error, AirflowException)
        # A pod that could say what went wrong would have tolerated it; what is no Exception ends Airflow's process.
        if isinstance(error, Exception) and not said and order["last"] and self.step.get("tolerates"):
            self.log.warning("%s failed; the run goes on: %s", ti.task_id, why["error"])
            self.document = {"value": {"error": {"message": why["error"], "type": why["error_type"]}}}
            if order["part"] == "items":
                self.document["items"] = 0
            return self.ended(ti)
        again = not known or why.get("retry", True)
        if order["last"] or not again:
            ti.xcom_push(key=FAILURE, value=why)
        if not known:
            raise error
        kind = AirflowException if again else AirflowFailException
        raise kind(f"{ti.task_id} failed: {why['error_type']}: {why['error']}\n{why['traceback']}") from None

    def extract_xcom(self, pod):
        self.document = super().extract_xcom(pod=pod)
        return self.document

    def cleanup(self, pod, remote_pod, *rest, **words):
        if self.document is None and self.pod is not None:
            self.ending = self.became()
        super().cleanup(pod, remote_pod, *rest, **words)

    def became(self):
        """What Kubernetes says of a pod that gave no result, before it is deleted: a reason and words, or None."""
        try:
            pod = self.pod_manager.read_pod(self.pod)
            gone, status = pod.metadata.deletion_timestamp is not None, pod.status
        except Exception as error:  # it is asked only to be told, and another error is on its way
            gone, status = getattr(error, "status", None) == 404, None
        if gone or status is None:
            return ("PodGone", "the pod was deleted") if gone else None
        found = [(status.reason, status.message)] if status.reason else []
        found += [(one.reason, one.message) for one in status.conditions or [] if one.reason == "Unschedulable"]
        for one in [*(status.init_container_statuses or []), *(status.container_statuses or [])]:
            if one.state.terminated and one.state.terminated.exit_code:
                ended = f"container {one.name} ended with exit code {one.state.terminated.exit_code}"
                found.append((one.state.terminated.reason, f"{ended}. {one.state.terminated.message or ''}".strip()))
            elif one.state.waiting and one.state.waiting.message:
                found.append((one.state.waiting.reason, one.state.waiting.message))
        return found[0] if found else None

    def build_pod_request_obj(self, context=None):
        pod = super().build_pod_request_obj(context)
        for container in pod.spec.containers:
            if container.name == "airflow-xcom-sidecar" and self.step.get("sidecar_image"):
                container.image = self.step["sidecar_image"]
        return pod


def told(step, error, ending):
    """A failure of which the pod itself could say nothing: it was killed, or never started."""
    # What broke off the wait for a pod lies behind what is then said of the pod.
    error = error.__context__ or error
    kind, text = type(error).__name__, " ".join(str(error).partition("remote_pod:")[0].split())[:2000]
    reason, words = ending or (kind, text)
    return {
        "failed_task": step["tasks"][0],
        "error": f"{reason}: {words}" if ending else text,
        "error_type": reason,
        "traceback": "\n".join(dict.fromkeys([f"{reason}: {words}", f"{kind}: {text}"])),
    }


def order_for(step, index, context):
    """What the pod is to do, and with what; AirflowSkipException where nothing leads to it."""
    ti = context["ti"]
    results = {name: result_of(ti, place) for name, place in step["inputs"].items()}
    outputs = {name: result for name, result in results.items() if result is not None}
    skipped = [name for name in results if name not in outputs]
    if step["part"] in ("task", "items"):
        require_chosen(step, outputs)
    order = {
        "part": step["part"],
        "tasks": step["tasks"],
        "run_id": context["run_id"],
        "given": given(context),
        "outputs": outputs,
        "skipped": skipped,
        "attempt": ti.try_number,
        "last": ti.try_number > (ti.max_tries or 0),
    }
    if index is not None:
        order["index"] = index
    if step["part"] in ("failure", "finally"):
        order["failure"] = first_failure(ti, step["failures"])
    return order


def require_chosen(step, outputs):
    """A task runs if one of its edges is live; without edges, if one of those that it needs has run."""
    if step["after"]:
        live = [name for name, port in step["after"] if name in outputs and port in (None, outputs[name].get("port"))]
        if not live:
            raise AirflowSkipException("not chosen: no edge leads to it")
    elif step["inputs"] and not outputs:
        raise AirflowSkipException("all that it needs was skipped")


def given(context):
    """The params of the run, over their defaults, and whatever else it was triggered with."""
    return {**dict(context["params"]), **(getattr(context["dag_run"], "conf", None) or {})}


def result_of(ti, place):
    """What a task gave, None if nothing: by its id, or as one of several in a pod, or under a key of its own."""
    if isinstance(place, str):
        return ti.xcom_pull(task_ids=place)
    found = ti.xcom_pull(task_ids=place["task"], key=place.get("key", "return_value"))
    if found and "name" in place:
        found = found["tasks"].get(place["name"])
    return None if found and "skipped" in found else found


def first_failure(ti, places):
    """Why the run fails: of the tasks that failed for good, the one that did so first; None if none has.

    Of a loop's iterations it is the first in the order of the list.
    """
    found = []
    for place in places:
        one = isinstance(place, str)
        of_place = [ti.xcom_pull(task_ids=place, key=FAILURE)] if one else iterations(ti, place, FAILURE)
        found += [failure for failure in of_place if failure][:1]
    return min(found, key=lambda failure: failure["at"]) if found else None


def iterations(ti, place, key="return_value"):
    """What each iteration of a loop gave, in the order of its list."""
    listed = ti.xcom_pull(task_ids=place["list"], key=LIST) or {}
    indexes = range(listed.get("items", 0))
    return list(ti.xcom_pull(task_ids=place["each"], key=key, map_indexes=indexes) or []) if indexes else []


def variables(order):
    """The order as environment variables. Kubernetes replaces $(NAME) in them: JSON can say $ otherwise."""
    text = json.dumps(order).replace("$", "\\u0024")
    parts = [text[start : start + LONGEST] for start in range(0, len(text), LONGEST)]
    return [(f"FLOWHUB_STEP_{number}" if number > 1 else "FLOWHUB_STEP", part) for number, part in enumerate(parts, 1)]


def choose(ports, decides, **context):
    """The port that a task has chosen, as the id of the empty task behind which that branch begins."""
    result = result_of(context["ti"], decides)
    if result is None or "port" not in result:
        raise AirflowSkipException("what decides was skipped, or has failed and the run goes on")
    return ports[result["port"]]


def gather(place, into, **context):
    """The result of a loop: what its list and its iterations gave, for whoever reads it to put together."""
    listed = context["ti"].xcom_pull(task_ids=place["list"], key=LIST)
    if listed is None:
        raise AirflowSkipException("the loop's list was not made")
    return {"loop": {"into": into, "items": listed, "results": iterations(context["ti"], place)}}


def fail(places, **context):
    """Keeps the run red although what came after the failure has ended well."""
    failure = first_failure(context["ti"], places) or {"failed_task": "a task", "error": "see its log"}
    raise AirflowFailException(f"{failure['failed_task']} failed: {failure['error']}")


def operator(task_id, spec, pipeline, made):
    """The operator of one entry of PIPELINE["tasks"]."""
    words = {"task_id": task_id, **spec.get("words", {})}
    words.update((name, timedelta(seconds=seconds)) for name, seconds in spec.get("seconds", {}).items())
    if "outlets" in spec:
        words["outlets"] = [Asset(uri) for uri in spec["outlets"]]
    if spec["kind"] == "pod":
        words.update(
            pipeline["pod"], name=spec["name"], step=spec["step"], pod_template_dict=pipeline["pods"][spec["pod"]]
        )
        return Pod.partial(**words).expand(index=made[spec["over"]].output) if "over" in spec else Pod(**words)
    if spec["kind"] == "port":
        return EmptyOperator(**words)
    if spec["kind"] == "arrival":
        from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor  # only where an object starts the run

        return verbatim(S3KeySensor(**words, **spec["arguments"]))
    kind, function = {
        "choice": (BranchPythonOperator, choose),
        "loop": (PythonOperator, gather),
        "outcome": (PythonOperator, fail),
    }[spec["kind"]]
    return verbatim(kind(**words, python_callable=function, op_kwargs=spec["arguments"]))


def verbatim(made):
    """The operator, which takes its words as they are: a key or a prefix may hold {{."""
    made.template_fields = ()
    return made


def schedule_of(words):
    """Cron, an interval, assets that another DAG makes, or none."""
    if "every" in words:
        return timedelta(seconds=words["every"])
    return [Asset(uri) for uri in words["assets"]] if "assets" in words else words.get("cron")


def build(pipeline):
    """The DAG of PIPELINE."""
    dag = DAG(
        **pipeline["dag"],
        schedule=schedule_of(pipeline["schedule"]),
        start_date=pendulum.datetime(2024, 1, 1, tz=pipeline["schedule"].get("timezone", "UTC")),
        catchup=False,
        params={name: Param(**words) for name, words in pipeline["params"].items()},
    )
    made = {}
    with dag:
        for task_id, spec in pipeline["tasks"].items():
            made[task_id] = operator(task_id, spec, pipeline, made)
            if spec["upstream"]:
                made[task_id].set_upstream([made[one] for one in spec["upstream"]])
    return dag


dag = build(PIPELINE)
