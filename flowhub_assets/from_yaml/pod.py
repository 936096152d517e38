"""A pod in an image that has flowhub_assets: ``python -m flowhub_assets.from_yaml.pod``. It knows all kinds of node."""

from __future__ import annotations

import sys

from flowhub_assets.from_python import pod as python_pod
from flowhub_assets.from_yaml.loading import runnable
from flowhub_assets.runtime.pod_files import PodFiles
from flowhub_assets.runtime.pod_main import main
from flowhub_assets.runtime.step import Runnable


def load(files: PodFiles) -> Runnable:
    """The pipeline of a document with the body of each node, those of the code's own kinds too; a flow as elsewhere.

    Raises FlowhubError. A file of nodes that does not load is told: the pipeline may do without it.
    """
    if files.kind != "data":
        return python_pod.load(files)
    from flowhub_assets.nodes.finding import load_nodes

    for found in load_nodes(files.code):
        if found.error is not None:
            print(f"flowhub: {found.error}", file=sys.stderr, flush=True)
    return runnable(files.pipeline)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], load))
