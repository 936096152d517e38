"""One document of a file as a pipeline, with everything that is wrong with it."""

from __future__ import annotations

from flowhub_assets.from_yaml.entries import Entry, entries, flat, one_entry
from flowhub_assets.from_yaml.graph import Graph
from flowhub_assets.from_yaml.kind_values import check_values
from flowhub_assets.from_yaml.names import Scope, check_asset
from flowhub_assets.from_yaml.pipeline_problems import tell_pipeline_problems
from flowhub_assets.from_yaml.positions import Document
from flowhub_assets.from_yaml.problem import FileProblem
from flowhub_assets.from_yaml.section import Report, Section
from flowhub_assets.from_yaml.settings import settings
from flowhub_assets.ir.pipeline import FLOW_INPUT, Pipeline, Source, Task
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.nodes import implied
from flowhub_assets.nodes.validation import type_text

API_VERSION = "flume/v1"
KIND = "Pipeline"


def pipeline_of(document: Document) -> tuple[Pipeline | None, list[FileProblem]]:
    """The pipeline, as far as it can be read, and its problems by line; None for what is no object or another kind."""
    report = Report(document)
    if not isinstance(document.data, dict):
        what = f"the document is {type_text(document.data)}, not an object"
        report.tell((), what, "it is no pipeline", f"begin it with apiVersion: {API_VERSION}")
        return None, report.problems
    whole = Section(report, (), document.data, "the pipeline")
    if not _is_pipeline(whole):
        return None, report.problems
    pipeline = _pipeline(whole)
    return pipeline, sorted(report.problems, key=lambda problem: (problem.line, problem.column))


def _is_pipeline(whole: Section) -> bool:
    for key, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        found = whole.data.get(key)
        if found == wanted:
            continue
        remedy = f"write {key}: {wanted}"
        if found is None:
            near = next((other for other in whole.data if did_you_mean(other, (key,), likeness=0.8)), None)
            if near is not None:
                whole.tell(near, f"the key {near!r} is misspelt", "it is not read as a pipeline", remedy, at_key=True)
                return False
            whole.tell(None, f"the document has no {key}", "it is not read as a pipeline", remedy)
            return False
        shown = repr(found) if isinstance(found, (str, int, float)) else type_text(found)
        whole.tell(key, f"{key} is {shown}", f"this version reads {wanted} only", remedy)
        return False
    return True


def _pipeline(whole: Section) -> Pipeline:
    fields = settings(whole)
    if "nodes" not in whole:
        whole.tell(None, "the pipeline has no nodes", "there is nothing to run", "write nodes: and a list under it")
    found, failing, final = entries(whole, "nodes"), one_entry(whole, "onFailure"), entries(whole, "finally")
    ends = [*([failing] if failing else []), *final]
    every = [*flat(found), *flat(ends)]
    ids: dict[str, Entry] = {}
    for entry in every:
        if entry.id:
            ids.setdefault(entry.id, entry)
    for entry in every:
        check_values(entry)
        check_asset(entry)
    graph = Graph(Scope(fields, ids, frozenset(entry.id for entry in flat(ends))), ids)
    tasks = graph.tasks(whole, found)
    ending = graph.tasks(Section(whole.report, whole.path, {}, "the pipeline"), ends)
    by_name = {task.name: task for task in ending}
    failure = by_name.get(failing.id) if failing else None
    pipeline = Pipeline(
        tasks=tasks,
        source=_source(whole),
        result=_result(whole, tasks),
        failure_task=failure,
        finally_tasks=tuple(by_name[entry.id] for entry in final if entry.id),
        **fields,
    )
    tell_pipeline_problems(whole.report, pipeline, [(entry.id, entry.section.path) for entry in every])
    return pipeline


def _source(whole: Section) -> Source:
    return whole.report.source(())


def _result(whole: Section, tasks: tuple[Task, ...]) -> tuple[str, ...]:
    """The tasks that ``result:`` names, or else those whose outputs nobody takes."""
    if "result" not in whole:
        return implied.ends(tasks)
    named = whole.texts("result", "save-article")
    known = [task.name for task in tasks]
    for index, name in enumerate(named):
        if name not in known and name != FLOW_INPUT:
            hint = did_you_mean(name, known) or f"the nodes are {listed(known)}"
            whole.report.tell(("result", index), f"the result names {name!r}, which is no node", "", hint)
    return tuple(name for name in named if name in known or name == FLOW_INPUT)
