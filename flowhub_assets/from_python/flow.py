"""The @flow decorator: a function whose body says which task needs which."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable, Optional, Union, overload

from flowhub_assets.errors import DefinitionError
from flowhub_assets.from_python import options, placing
from flowhub_assets.from_python.call_form import Parameters
from flowhub_assets.from_python.conditional import call_flow
from flowhub_assets.from_python.main_script import plain_errors, script_path, start_script
from flowhub_assets.from_python.task import Function, TaskFunction, require_plain_function
from flowhub_assets.from_python.timing import timing
from flowhub_assets.from_python.trace import current, trace
from flowhub_assets.from_python.typed_params import NO_TYPES, Types, types_in
from flowhub_assets.from_python.where import caller, source_of_function, unwrapped
from flowhub_assets.ir.pipeline import FLOW_INPUT, Pipeline
from flowhub_assets.ir.placement import Volume
from flowhub_assets.ir.triggers import Trigger

if TYPE_CHECKING:
    from datetime import timedelta

    from flowhub_assets.runtime.step import Runnable

_ENV = "{'default': {'WORKSPACE': './tmp'}}"


class Flow:
    """A function with @flow. Its graph is found when ``pipeline`` or ``runnable`` is first asked for."""

    __name__: str

    def __init__(
        self,
        function: Function,
        settings: Mapping[str, Any],
        on_failure: Optional[TaskFunction] = None,
        types: Types = NO_TYPES,
    ) -> None:
        require_plain_function("flow", function)
        functools.update_wrapper(self, function)
        self.function = function
        self.source = source_of_function(function)
        _require_one_parameter(function, Parameters.of(function, self.source))
        self.name: str = settings.get("name", function.__name__)
        self._failure = on_failure
        self._types = types
        self._settings = {"description": inspect.getdoc(function) or "", **settings}
        self._settings.pop("name", None)
        self._runnable: Optional[Runnable] = None

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline, checked. Raises DefinitionError with all that is wrong with it."""
        return self.runnable.pipeline

    @property
    def runnable(self) -> Runnable:
        """The pipeline, checked, with the function of each task. Raises DefinitionError as ``pipeline`` does."""
        if self._runnable is None:
            # The same lock that importing takes: a body may import, too. A second thread finds the flow ready.
            with _surroundings(self.function):
                if self._runnable is None:
                    self._runnable = self._traced()
        return self._runnable

    def _traced(self) -> Runnable:
        from flowhub_assets.ir.checks import require
        from flowhub_assets.runtime.step import Runnable

        graph, types = trace(self), self._types.of_function(self.function)
        bodies = dict(graph.bodies)
        failure = None
        if self._failure is not None:
            failure = self._failure.as_task((FLOW_INPUT,), True)
            bodies.setdefault(failure.name, self._failure.body)
        pipeline = Pipeline(
            name=self.name,
            tasks=tuple(graph.tasks),
            source=self.source,
            function=unwrapped(self.function).__qualname__,
            result=graph.returned,
            failure_task=failure,
            **{**self._settings, **types.settings(self.source)},
        )
        require(pipeline)
        return Runnable(pipeline, bodies, **types.words())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """In another flow's body: that flow gets the tasks of this one. With a plain dict: runs them here, in order."""
        graph = current()
        if graph is None:
            return call_flow(self.function, args, kwargs)
        values = [*args, *kwargs.values()]
        if not values:
            raise DefinitionError(
                f"flow {self.name!r} is called without a value", where=caller(), remedy=f"write {self.__name__}(args)"
            )
        return graph.inline(self, values)

    def __repr__(self) -> str:
        return f"<flow {self.name!r} at {self.source}>"


@contextmanager
def _surroundings(function: Function) -> Iterator[None]:
    """What the body of a workflow file's flow may import: all that its script could."""
    from flowhub_assets.runtime import imports

    with imports.lock():
        if imports.is_workflow_module(function.__module__):
            with imports.importable(os.path.dirname(unwrapped(function).__code__.co_filename)):
                yield
        else:
            yield


def _require_one_parameter(function: Function, parameters: Parameters) -> None:
    if parameters.required > 1:
        raise DefinitionError(
            f"flow {function.__name__!r} has {parameters.required} parameters: {', '.join(parameters.names)}",
            where=source_of_function(function),
            effect="a flow takes one dict, its input",
            remedy=f"write def {function.__name__}(args): and let the tasks read args['...']",
        )


def _failure_function(value: object) -> Optional[TaskFunction]:
    if value is None:
        return None
    if isinstance(value, Flow) or not callable(value):
        raise options.wrong("on_failure", value, "the name of a function, without quotes: on_failure=fail_handler")
    handler = value if isinstance(value, TaskFunction) else TaskFunction(value, {})
    if handler.parameters.required > 1:
        raise DefinitionError(
            f"on_failure={handler.__name__} has {handler.parameters.required} parameters",
            where=handler.source,
            effect="it is given one dict, args",
            remedy="write one parameter; args has failed_task, error, error_type, traceback and env",
        )
    return handler


def _settings(words: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a Pipeline that the keywords fill."""
    texts = {
        "name": options.text("name", words.get("name"), "my-workflow"),
        "description": options.text("description", words.get("description"), "what the flow does"),
    }
    return {
        **{word: text for word, text in texts.items() if text is not None},
        "namespace": options.text("namespace", words.get("namespace"), "airflow"),
        "profiles": options.mapping("env", words.get("env"), _ENV),
        "params": options.mapping("params", words.get("params"), "{'data': {}}"),
        "tags": options.texts("tags", words.get("tags"), "tag1"),
        "owners": options.texts("owners", words.get("owners"), "team:data"),
        "volumes": placing.parts("volumes", words.get("volumes"), Volume),
        "labels": options.mapping("labels", words.get("labels"), "{'team': 'data'}"),
        "annotations": options.mapping("annotations", words.get("annotations"), "{'key': 'value'}"),
        "service_account_name": options.text("service_account_name", words.get("service_account_name"), "my-sa"),
        "image_pull_secrets": options.texts("image_pull_secrets", words.get("image_pull_secrets"), "my-registry"),
        "airflow_sidecar_image": options.text("airflow_sidecar_image", words.get("airflow_sidecar_image"), "image:tag"),
        "repo": options.text("repo", words.get("repo"), "https://example.com/team/pipelines.git"),
        "path": options.text("path", words.get("path"), "pipelines/my_flow"),
        **timing(words),
        **_at_most(words.get("concurrency")),
        "priority": options.whole_number("priority", words.get("priority"), 10),
        "queue": options.text("queue", words.get("queue"), "nightly"),
        "imports": options.texts("imports", words.get("imports"), "sklearn.ensemble"),
        "triggers": (
            *_webhook(words.get("webhook")),
            *_object_arrival(words.get("object_arrival")),
            *_run(words.get("run_status")),
            *_model_alias(words.get("model_alias")),
        ),
    }


def _at_most(concurrency: object) -> dict[str, int]:
    return {} if concurrency is None else {"concurrency": options.whole_number("concurrency", concurrency, 1)}


def _webhook(value: object) -> tuple[Trigger, ...]:
    if value is None or value is False:
        return ()
    if value is True:
        return (Trigger("webhook"),)
    return (Trigger("webhook", None, options.mapping("webhook", value, "{'signature': 'github', 'keys': ['KEY']}")),)


def _object_arrival(value: object) -> tuple[Trigger, ...]:
    if value is None:
        return ()
    given = options.mapping("object_arrival", value, "{'prefix': 'inbox/', 'pattern': '*.csv'}")
    # Times are seconds, as a pipeline file has them.
    told = {name: one.total_seconds() if hasattr(one, "total_seconds") else one for name, one in given.items()}
    return (Trigger("object-arrival", None, told),)


def _run(value: object) -> tuple[Trigger, ...]:
    if value is None:
        return ()
    return (Trigger("run", None, options.mapping("run_status", value, "{'pipeline': 'ingest', 'status': 'success'}")),)


def _model_alias(value: object) -> tuple[Trigger, ...]:
    if value is None:
        return ()
    told = options.mapping("model_alias", value, "{'model': 'iris', 'alias': 'champion'}")
    models = told.get("model")
    several = models if isinstance(models, list) and models else [models]
    return tuple(Trigger("model-alias", None, {**told, "model": one}) for one in several)


@overload
def flow(function: Function, /) -> Flow: ...


@overload
def flow(
    *,
    name: Optional[str] = None,
    description: Optional[str] = None,
    namespace: Optional[str] = None,
    env: Optional[Mapping[str, Mapping[str, Any]]] = None,
    params: Optional[Union[Mapping[str, Any], type[Any]]] = None,
    result: Optional[type[Any]] = None,
    grpc: Optional[str] = None,
    tags: Optional[Sequence[str]] = None,
    volumes: Optional[Sequence[Union[Volume, Mapping[str, Any]]]] = None,
    labels: Optional[Mapping[str, str]] = None,
    annotations: Optional[Mapping[str, str]] = None,
    service_account_name: Optional[str] = None,
    image_pull_secrets: Optional[Sequence[str]] = None,
    on_failure: Optional[Callable[..., Any]] = None,
    airflow_sidecar_image: Optional[str] = None,
    repo: Optional[str] = None,
    path: Optional[str] = None,
    schedule: Optional[Union[str, timedelta]] = None,
    timezone: Optional[str] = None,
    partitions: Optional[Mapping[str, Union[str, Sequence[str]]]] = None,
    deadline: Optional[Union[float, timedelta]] = None,
    freshness: Optional[Union[float, timedelta]] = None,
    dedupe: Optional[Mapping[str, Any]] = None,
    automation: Optional[str] = None,
    deps: Optional[Sequence[str]] = None,
    webhook: Optional[Union[bool, Mapping[str, Any]]] = None,
    object_arrival: Optional[Mapping[str, Any]] = None,
    run_status: Optional[Mapping[str, str]] = None,
    model_alias: Optional[Mapping[str, Union[str, Sequence[str]]]] = None,
    concurrency: Optional[int] = None,
    priority: int = 0,
    queue: Optional[str] = None,
    owners: Optional[Sequence[str]] = None,
    imports: Optional[Sequence[str]] = None,
) -> Callable[[Function], Flow]: ...


@plain_errors
def flow(function: Any = None, /, **words: Any) -> Any:
    """Makes a function a flow: called once with traced values, it says which task needs which.

    ``env`` holds the profiles by name ({'default': {'WORKSPACE': './tmp'}}), ``params`` the input's names and
    defaults, or a pydantic model or a dataclass with those fields (as does the annotation of ``args``); ``result`` is
    the class of what the flow returns, ``grpc`` the method of a .proto that starts it, file.proto:pkg.Service.Method.
    ``on_failure`` is the task that runs once when the run has failed. With ``partitions={'every': 'daily', 'start':
    '2026-01-01'}`` (or hourly, weekly, monthly) each run is about one span of time, args['env']['partition']: its
    key, start and end; with ``partitions={'data_set': ['iris', 'titanic'], 'model': ['small', 'large']}``, one or two
    lists of keys, about one key of each, {'key': 'iris|small', 'data_set': 'iris', 'model': 'small'}. A run that
    takes longer than ``deadline``, and a last success older than ``freshness`` (seconds or a timedelta), is told by
    an alert. What starts by itself starts once for each key of
    ``dedupe={'key': '{{$today}}', 'lifetime': 3600}``, which is held so many seconds. ``schedule`` is a cron
    expression of five fields, a preset (@hourly, @daily, @weekly, @monthly, @yearly) or a timedelta, read in
    ``timezone`` (an IANA name, UTC if none is given).
    ``webhook`` lets POST /hooks/NAME start it: True of whoever has an API token,
    {'signature': 'github', 'keys': ['NAME_OF_A_VARIABLE']} of whoever signs with that key. With
    ``object_arrival={'prefix': 'inbox/', 'pattern': '*.csv'}`` each object that arrives in the storage of the profile
    starts it, args['trigger']['url']; with ``run_status={'pipeline': 'ingest', 'status': 'failure'}`` (or success,
    canceled) each run of that pipeline that ends so, args['trigger']['run_id']; with
    ``model_alias={'model': 'iris', 'alias': 'champion'}`` each move of that alias in MLflow's registry, of each of
    several models where it is a list of them, args['trigger']['model'] and ['version']. With ``automation='eager'``
    Dagster makes its assets whenever those that ``deps`` names, ['wines/table'], were made anew; 'on_missing' makes
    partitions as they come, a cron expression (in UTC) waits for its moment and until all of ``deps`` were made anew
    since. At most ``concurrency`` of its runs go on at a time; those that wait do so in the ``queue`` of
    pyproject.toml, a higher ``priority`` first. ``owners`` are e-mail addresses or 'team:name'.
    ``imports=['sklearn.ensemble']`` are modules that the process of a run imports once: the processes of its tasks are
    forked from it and need not import them again. On one machine, later runs find there what is installed of them.
    ``namespace``, ``volumes``, ``labels``, ``annotations``, ``service_account_name`` and ``image_pull_secrets`` are
    Kubernetes', and those of every task's pod; ``repo`` and ``path`` say where the code can be cloned from. Name and
    description default to the function's own and its docstring.

    In a script that Python executes, this runs the script's command line and ends the process.
    Raises DefinitionError for an unknown keyword, a wrong type, or what is not a plain function.
    """
    options.refuse_unknown("flow", words)
    types, words = types_in(words)
    settings, on_failure = _settings(words), _failure_function(words.get("on_failure"))
    if function is not None and function is not ...:  # @flow(...), as manuals write it, says nothing
        return _made(Flow(function, settings, on_failure, types))

    @plain_errors
    def decorate(decorated: Function) -> Flow:
        return _made(Flow(decorated, settings, on_failure, types))

    return decorate


def _made(made: Flow) -> Flow:
    inner = unwrapped(made.function)
    path = script_path(inner.__globals__, inner.__code__.co_filename)
    if path is not None:
        start_script(path)
    return made
