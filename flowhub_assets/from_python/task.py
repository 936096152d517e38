"""The @task decorator: a function and where and how it wants to run."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional, Union, overload

from flowhub_assets.errors import DefinitionError, TracingError
from flowhub_assets.from_python import options, placing
from flowhub_assets.from_python.call_form import Parameters
from flowhub_assets.from_python.conditional import Conditional, FlowInput
from flowhub_assets.from_python.main_script import plain_errors
from flowhub_assets.from_python.trace import current
from flowhub_assets.from_python.traced import Traced
from flowhub_assets.from_python.where import caller, source_of_function, unwrapped
from flowhub_assets.ir.pipeline import Check, Task
from flowhub_assets.ir.placement import Toleration, VolumeMount

if TYPE_CHECKING:
    from datetime import timedelta

Function = Callable[..., Any]
Seconds = Union[int, float, "timedelta"]
Amount = Union[str, int, float]


class TaskFunction:
    """A function with @task.

    In a flow's body a call of it becomes a task of the flow; anywhere else, in a unit test say, a call with
    plain dicts runs the function and returns what it returns.
    """

    __name__: str

    def __init__(self, function: Function, settings: Mapping[str, Any]) -> None:
        require_plain_function("task", function)
        functools.update_wrapper(self, function)
        self.function = function
        self.source = source_of_function(function)
        self.parameters = Parameters.of(function, self.source)
        self.name: str = settings.get("name", function.__name__)
        self._settings = {"description": inspect.getdoc(function) or "", **settings}
        self._settings.pop("name", None)

    def named(self, name: str) -> TaskFunction:
        """The same task under another name, so that one function can be called twice in a flow."""
        if not isinstance(name, str):
            raise options.wrong("name", name, f"a string: {self.__name__}.named('other')")
        other = TaskFunction.__new__(TaskFunction)
        other.__dict__.update(self.__dict__, name=name)
        other.__dict__.pop("body", None)
        return other

    @functools.cached_property
    def body(self) -> Function:
        """What a run calls: the function, or, where it takes or returns objects of a class, what makes them of JSON."""
        from flowhub_assets.from_python.typed_tasks import typed_body

        return typed_body(self.function, self.name)

    def called(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns outside of a run: as JSON for the next task in a flow's body, else as it is."""
        from flowhub_assets.from_python.conditional import in_plain_flow
        from flowhub_assets.from_python.typed_tasks import call_typed
        from flowhub_assets.runtime.typed_values import object_as_json

        returned = call_typed(self.function, self.name, args, kwargs)
        return object_as_json(returned) if in_plain_flow() else returned

    def as_task(self, needs: tuple[str, ...], merge: bool) -> Task:
        """The task that a call makes, taking the outputs of ``needs``, merged or one by one."""
        function = unwrapped(self.function).__qualname__
        return Task(self.name, needs, self.source, function, merge, **self._settings)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """A task of the flow whose body calls this; elsewhere what the function returns."""
        graph = current()
        if graph is not None:
            values, merge = self.parameters.bind(self.name, args, kwargs)
            return graph.call(self, values, merge)
        self._refuse_traced(*args, *kwargs.values())
        if any(isinstance(value, (Conditional, FlowInput)) for value in (*args, *kwargs.values())):
            from flowhub_assets.from_python.branching import call_plain

            return call_plain(self, args, kwargs)
        if len(args) > 1 and not kwargs and self.parameters.is_single:
            return self.called(_merged_dicts(self.name, args))
        return self.called(*args, **kwargs)

    def map(self, *values: Any, over: str, max_concurrent: int = 0, most: int = 1_000) -> Any:
        """The task once for each item of the list that ``values``, merged, have under the key ``over``.

        Each call takes the other args, ``item``, and its ``index`` from 0. The value is ``{over: [...]}``, what the
        calls returned, in the items' order. At most ``max_concurrent`` items are worked on at a time (0: as many as
        the machine bears); a list of more than ``most`` is an error. With plain dicts, outside a flow's body, the
        function is called here. Raises DefinitionError for a wrong word and, when it runs, ValueRefused where there
        is no list.
        """
        from flowhub_assets.from_python import mapping

        over, max_concurrent, most = mapping.checked_words(self, over, max_concurrent, most)
        self._require_values(values, "map")
        graph = current()
        if graph is not None:
            return mapping.map_in_flow(graph, self, values, over, max_concurrent, most)
        self._refuse_traced(*values)
        return mapping.map_plain(self, values, over, most, caller())

    def branch(self, *values: Any, cases: Optional[Sequence[str]] = None, **named: Any) -> Any:
        """A choice between branches of the flow, made by what the function returns for ``values``.

        True or False: ``choice.true`` and ``choice.false``. With ``cases``, the name of one of them:
        ``choice["pdf"]``, and ``choice.default`` for any other text or None. A branch is the value that was decided
        on; a task that takes it runs only if that branch was chosen, and so does what needs only such tasks. A task
        that takes the outputs of several branches runs where one of them ran; the others give it nothing.
        """
        from flowhub_assets.from_python import branching

        ports = branching.ports_of(self, cases)
        self._require_values((*values, *named.values()), "branch")
        graph = current()
        if graph is not None:
            bound, merge = self.parameters.bind(self.name, values, named)
            return branching.branch_in_flow(graph, self, ports, bound, merge)
        self._refuse_traced(*values, *named.values())
        return branching.branch_plain(self, ports, (*values, *named.values()))

    def _require_values(self, values: Sequence[Any], word: str) -> None:
        if not values:
            raise DefinitionError(
                f"{word} of task {self.name!r} is called without a value",
                where=caller(),
                remedy=f"hand the flow's input or another task's value to it: {self.__name__}.{word}(args, ...)",
            )

    def _refuse_traced(self, *values: Any) -> None:
        for value in values:
            if isinstance(value, Traced):
                raise TracingError(
                    f"task {self.name!r} is called with a value of flow {value.graph.flow.name!r}, outside its body",
                    where=caller(),
                    effect="the flow's graph is finished",
                    remedy=f"call {self.__name__} in the body of the flow",
                )

    def __repr__(self) -> str:
        return f"<task {self.name!r} at {self.source}>"


def _settings(words: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a Task that the keywords fill."""
    name = options.text("name", words.get("name"), "my-task")
    return {
        **({} if name is None else {"name": name}),
        "placement": placing.placement(words),
        "retry": options.retry(words),
        "timeout": options.seconds("timeout", words.get("timeout")),
        "pool": options.text("pool", words.get("pool"), "gpu"),
        "priority": options.whole_number("priority", words.get("priority"), 10),
        "env": options.mapping("env", words.get("env"), "{'DEBUG': True}"),
        "checks": _checks(words.get("checks")),
        "kinds": options.texts("kinds", words.get("kinds"), "xgboost"),
        "deps": options.texts("deps", words.get("deps"), "wines/table"),
    }


def _checks(value: object) -> tuple[Check, ...]:
    levels = options.mapping("checks", value, "{'nulls': 'blocking'}")
    for name, level in levels.items():
        if not isinstance(level, str):
            raise options.wrong(f"checks[{name!r}]", level, "a level: 'blocking', 'error' or 'warn'")
    return tuple(Check(name, level) for name, level in levels.items())


def _merged_dicts(name: str, values: Sequence[Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for value in values:
        if not isinstance(value, Mapping):
            raise TracingError(
                f"task {name!r} is given a {type(value).__name__} to merge", where=caller(), remedy="give dicts"
            )
        result.update(value)
    return result


def require_plain_function(decorator: str, function: Any) -> None:
    """Raises DefinitionError unless ``function`` is a plain ``def`` at the top level or inside a function."""
    if not isinstance(function, types.FunctionType):
        raise DefinitionError(
            f"@{decorator} stands on {_kind(function)}",
            where=caller(),
            remedy=f"write @{decorator}(name='...') above def my_{decorator}(args): ...",
        )
    inner, where = unwrapped(function), source_of_function(function)
    name = function.__name__
    outer = inner.__qualname__.rpartition(".")[0]
    if inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner):
        remedy = f"write def {name}(args): and call asyncio.run(...) inside it"
        if decorator == "flow":
            remedy = f"write def {name}(args): and call the tasks without await"
        raise DefinitionError(f"{name!r} is async; a {decorator} is a plain function", where=where, remedy=remedy)
    if inspect.isgeneratorfunction(inner):
        remedy = "collect the items and return them: return {**args, 'items': items}"
        if decorator == "flow":
            remedy = "return what the last task returned"
        raise DefinitionError(f"{name!r} yields; a {decorator} returns", where=where, remedy=remedy)
    if name == "<lambda>":
        raise DefinitionError(f"a lambda cannot be a {decorator}", where=where, remedy="write def my_task(args): ...")
    if outer and not outer.endswith("<locals>"):
        remedy = f"move it out of the class: def {name}(args): ..."
        raise DefinitionError(f"{name!r} is a method of class {outer!r}", where=where, remedy=remedy)


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {value!r}"
    if isinstance(value, type):
        return f"the class {value.__name__!r}"
    if isinstance(value, TaskFunction):
        return f"{value.name!r}, which is a task already"
    return f"a {type(value).__name__}"


@overload
def task(function: Function, /) -> TaskFunction: ...


@overload
def task(
    *,
    name: Optional[str] = None,
    image: Optional[str] = None,
    cpu: Optional[Amount] = None,
    memory: Optional[Amount] = None,
    gpu: Optional[Amount] = None,
    tolerations: Optional[Sequence[Union[Toleration, Mapping[str, Any]]]] = None,
    node_selector: Optional[Mapping[str, str]] = None,
    volume_mounts: Optional[Sequence[Union[VolumeMount, Mapping[str, Any]]]] = None,
    request_cpu: Optional[Amount] = None,
    request_memory: Optional[Amount] = None,
    limit_cpu: Optional[Amount] = None,
    limit_memory: Optional[Amount] = None,
    limit_gpu: Optional[Amount] = None,
    ephemeral_storage: Optional[Amount] = None,
    limit_ephemeral_storage: Optional[Amount] = None,
    gpu_resource: Optional[str] = None,
    affinity: Optional[Mapping[str, Any]] = None,
    labels: Optional[Mapping[str, str]] = None,
    annotations: Optional[Mapping[str, str]] = None,
    service_account_name: Optional[str] = None,
    image_pull_secrets: Optional[Sequence[str]] = None,
    priority_class_name: Optional[str] = None,
    active_deadline: Optional[Seconds] = None,
    retries: int = 0,
    retry_delay: Optional[Seconds] = None,
    retry_backoff: Optional[str] = None,
    retry_on: Optional[Sequence[Union[str, type[BaseException]]]] = None,
    timeout: Optional[Seconds] = None,
    pool: Optional[str] = None,
    priority: int = 0,
    env: Optional[Mapping[str, Any]] = None,
    checks: Optional[Mapping[str, str]] = None,
    kinds: Optional[Sequence[str]] = None,
    deps: Optional[Sequence[str]] = None,
) -> Callable[[Function], TaskFunction]: ...


@plain_errors
def task(function: Any = None, /, **words: Any) -> Any:
    """Makes a function a task: it takes ``args``, a dict, and returns a dict.

    ``image`` is the container image to run in; ``cpu``, ``memory`` and ``gpu`` are requests in Kubernetes'
    quantities ('500m', '4Gi', '1'; numbers are taken too), ``limit_cpu`` and ``limit_memory`` limits;
    request_cpu, request_memory and limit_gpu are older spellings of cpu, memory and gpu. ``ephemeral_storage`` and
    its limit are the node's disk. ``gpu`` may name a preset of the profile: 'a100', or 'a100:2' for two; or
    ``gpu_resource`` says what a GPU is called ('amd.com/gpu'). ``affinity`` is a dict in Kubernetes' own words;
    ``tolerations``, ``node_selector``, ``volume_mounts``, ``labels``, ``annotations``, ``service_account_name``,
    ``image_pull_secrets`` and ``priority_class_name`` are Kubernetes' too, and go before what the flow says.

    ``timeout`` is how long one try of the function may take, wherever it runs. ``active_deadline`` is Kubernetes': how
    long its pod may be there, pulling the image and starting included, and under Dagster (where it is that of the
    Job) waiting for a node as well; then Kubernetes ends it, whatever it does. It is the longer of the two.

    ``retries`` counts further tries after a failure, ``retry_delay`` and ``timeout`` are seconds or timedeltas.
    ``retry_backoff`` says how the delay grows ('constant', 'linear' or 'exponential'), ``retry_on`` which errors are
    worth another try, by class or name, those derived from them too; all are if none is named. ``pool`` limits how many
    tasks run at once, a higher ``priority`` starts first, ``env`` is laid over the profile for this task alone. The
    docstring is the task's description.

    ``checks={'nulls': 'blocking', 'ranges': 'warn'}`` declares the checks that the function tells with ``check``:
    after a blocking one that does not hold nothing runs that takes its value, those of level error and warn are told
    only. ``kinds=['xgboost', 's3']`` are the words, with their icons, that Dagster's UI shows on its asset.
    ``deps=['wines/table']`` are assets of other flows that it comes after; those of @flow are its first tasks'.

    Raises DefinitionError for an unknown keyword, a wrong type, or what is not a plain function.
    """
    options.refuse_unknown("task", words)
    settings = _settings(words)  # here, where the user's line is the decorator's
    if function is not None and function is not ...:  # @task(...), as manuals write it, says nothing
        return TaskFunction(function, settings)

    @plain_errors
    def decorate(decorated: Function) -> TaskFunction:
        return TaskFunction(decorated, settings)

    return decorate
