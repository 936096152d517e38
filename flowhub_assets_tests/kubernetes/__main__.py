"""The Kubernetes double as a process of its own: writes FOLDER/kubeconfig, says ``ready`` and its port, and serves.

It ends by SIGTERM or SIGINT, and with the process that has started it; then no pod's process is left.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
from pathlib import Path

from flowhub_assets_tests.kubernetes.double import KubeDouble


def main() -> None:
    """Reads the command line and serves."""
    parser = argparse.ArgumentParser(prog="python -m flowhub_assets_tests.kubernetes", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", type=Path, help="of every image that is not named")
    parser.add_argument("--image", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--variable", action="append", default=[], metavar="NAME=VALUE", help="of all containers")
    parser.add_argument("--restricted", action="append", default=[], metavar="NAMESPACE")
    parser.add_argument("--max-running", type=int)
    told = parser.parse_args()
    images = {name: Path(python) for name, _, python in (text.partition("=") for text in told.image)}
    variables = {name: value for name, _, value in (text.partition("=") for text in told.variable)}
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    parent = os.getppid()
    double = KubeDouble(
        told.folder,
        told.python,
        images,
        variables=variables,
        restricted=told.restricted,
        max_running=told.max_running,
    )
    with double:
        print(f"ready {double.port}", flush=True)
        while not ended.wait(0.5) and os.getppid() == parent:
            continue


if __name__ == "__main__":
    main()
