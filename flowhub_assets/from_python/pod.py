"""A pod of a flow, in an image that has nothing but Python: ``python -m flowhub_assets.from_python.pod``."""

from __future__ import annotations

import sys

from flowhub_assets.errors import InputError
from flowhub_assets.from_python import arguments, typed_params
from flowhub_assets.from_python.function_bodies import function_bodies
from flowhub_assets.from_python.loading import flows_in, load_module
from flowhub_assets.ir.spelling import listed
from flowhub_assets.runtime.pod_files import PodFiles
from flowhub_assets.runtime.pod_main import main
from flowhub_assets.runtime.step import Runnable


def load(files: PodFiles) -> Runnable:
    """The flow of a workflow file, as its script would have it; of a pipeline's document, the tasks that are Python.

    Raises DefinitionError for what is wrong with the file, and InputError if the flow is not in it.
    """
    if files.kind == "data":
        pipeline = files.pipeline
        return Runnable(pipeline, function_bodies(pipeline))
    sys.argv = [files.file, *files.argv]
    typed_params.checked_before()
    arguments.begin(files.file, files.argv, ("python", files.file))
    flows = {flow.name: flow for flow in flows_in(load_module(files.file))}
    if files.flow not in flows:
        raise InputError(
            f"there is no flow {files.flow!r}",
            where=files.file,
            effect="The DAG is of another version of it than the code that came along.",
            remedy=f"Export the flow again. Flows of this file: {listed(map(repr, flows))}.",
        )
    return flows[files.flow].runnable


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], load))
