"""MLflow as this project talks to it: one client for each tracking URI, made of nothing but the task's env.

Only MlflowClient is used, with its URI. mlflow's fluent functions (start_run, log_metric, log_model) keep the active
run in the thread and the URI in the process: two cells of a matrix in one process would write into each other's runs.

Without MLFLOW_TRACKING_URI everything lies in the workspace: ``mlflow/mlflow.db`` (SQLite) and ``mlflow/artifacts``;
``mlflow ui --backend-store-uri sqlite:///tmp/mlflow/mlflow.db`` shows it. A server that is away is asked again as
mlflow's own MLFLOW_HTTP_REQUEST_MAX_RETRIES and MLFLOW_HTTP_REQUEST_TIMEOUT of this process say.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import ProfileError, RunError
from flowhub_assets.runtime.part_file import file_errors
from flowhub_assets.runtime.profile_references import resolved

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: Where a profile names a server, or a database; and the address of MLflow's own pages where the URI is none.
TRACKING_URI, UI_URL = "MLFLOW_TRACKING_URI", "MLFLOW_URL"
_LOCAL_UI = "http://localhost:5000"
_SQLITE = "sqlite:///"
_SERVER = ("http://", "https://")
_USER_INFO = re.compile(r"(?<=://)[^/@\s'\"]*(?:@[^/@\s'\"]*)*@")
_POOL = "MLFLOW_SQLALCHEMYSTORE_POOLCLASS"
#: mlflow reads its options from the environment while it makes an engine; one thread of ours at a time sets one.
_making = threading.Lock()
_ready: set[tuple[str, int]] = set()


def tracking_uri(env: Mapping[str, Any]) -> str:
    """Where MLflow keeps its runs: ``MLFLOW_TRACKING_URI`` of the profile, else SQLite in its WORKSPACE.

    It may be ``{"env": "NAME"}``, which stands for the environment variable. May hold a password: ``without_password``
    is what may be shown. Raises ProfileError where neither is there.
    """
    given, workspace = resolved_value(env, TRACKING_URI), resolved_value(env, "WORKSPACE")
    if given is not None:
        if not isinstance(given, str):
            raise ProfileError(f"{TRACKING_URI} is {type(given).__name__}, not text", remedy="Write it as a string.")
        return given.rstrip("/")
    if not workspace:
        raise ProfileError(
            f"the profile has neither {TRACKING_URI} nor WORKSPACE",
            effect="MLflow's database cannot lie in a bucket.",
            remedy=f"Name a server: {TRACKING_URI}='http://mlflow:5000'.",
        )
    return f"{_SQLITE}{os.path.abspath(os.path.expanduser(os.fspath(workspace)))}/mlflow/mlflow.db"


def without_password(text: str) -> str:
    """``text`` with the user and password of each URL in it left out."""
    return _USER_INFO.sub("", text)


def tracking(env: Mapping[str, Any]) -> MlflowClient:
    """MLflow's client for the profile. May be used by many threads, and by processes that start at the same time.

    Raises ProfileError, and RunError where the database cannot be opened. A server is asked only when it is used.
    """
    _quiet()
    from mlflow import MlflowClient

    uri = tracking_uri(env)
    if uri.startswith(_SQLITE):
        return _embedded_client(_path_of(uri), env)
    with mlflow_errors(env):
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextlib.contextmanager
def mlflow_errors(env: Mapping[str, Any]) -> Iterator[None]:
    """Turns what MLflow, its database or its server raise into one RunError, without passwords."""
    try:
        yield
    except Exception as error:
        if not _is_of_mlflow(error):
            raise
        uri = without_password(tracking_uri(env))
        told = without_password(str(error)).strip().partition("\n")[0]
        raise RunError(
            f"MLflow did not do what it was asked: {told:.500}",
            where=uri,
            effect="What was not yet written there is lost; the run is told as FAILED as soon as MLflow answers.",
            remedy=f"Start the server that {TRACKING_URI} of the profile names, or correct it, and run this again"
            if uri.startswith(_SERVER)
            else "Look whether the file can be written, and run this again",
        ) from None


def run_url(env: Mapping[str, Any], experiment_id: str, run_id: str) -> str:
    """The page of a run in MLflow's UI: on the server, or where ``mlflow ui`` shows the embedded database."""
    return f"{ui_url(env)}/#/experiments/{experiment_id}/runs/{run_id}"


def ui_url(env: Mapping[str, Any]) -> str:
    """Where MLflow's pages are: ``MLFLOW_URL`` of the profile, the server's own, or the port of ``mlflow ui``."""
    uri = tracking_uri(env)
    own = uri if uri.startswith(_SERVER) else _LOCAL_UI
    return without_password(str(env.get(UI_URL) or own)).rstrip("/")


def experiment(client: MlflowClient, name: str, env: Mapping[str, Any]) -> str:
    """The id of the experiment of that name, which is made if it is not there. Raises MlflowException."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        uri = tracking_uri(env)
        place = f"file://{os.path.dirname(_path_of(uri))}/artifacts/{name}" if uri.startswith(_SQLITE) else None
        try:
            made: str = client.create_experiment(name, artifact_location=place)
            return made
        except MlflowException:
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    own: str = found.experiment_id
    return own


def resolved_value(env: Mapping[str, Any], key: str) -> Any:
    """A value of the profile, that of a variable where it is ``{"env": "NAME"}``; None if it is not there."""
    return resolved({key: env[key]}, os.environ)[key] if env.get(key) else None


def _path_of(uri: str) -> str:
    return os.path.abspath(uri.removeprefix(_SQLITE).partition("?")[0])


def _embedded_client(path: str, env: Mapping[str, Any]) -> MlflowClient:
    from mlflow import MlflowClient

    uri = f"{_SQLITE}{path}"
    if (uri, os.getpid()) in _ready and os.path.exists(path):
        return MlflowClient(tracking_uri=uri, registry_uri=uri)
    with _making, one_process(path), mlflow_errors(env):
        _prepare(path)
        # Connections are opened for each session and never kept: a forked step would share its parent's.
        before = os.environ.get(_POOL)
        os.environ[_POOL] = "NullPool"
        try:
            client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            client.search_registered_models(max_results=1)  # makes the registry's engine, while the option is set
        finally:
            del os.environ[_POOL]
            if before is not None:
                os.environ[_POOL] = before
        _ready.add((uri, os.getpid()))
        return client


@contextlib.contextmanager
def one_process(path: str) -> Iterator[None]:
    """Holds the file lock under which the tables of a database are made; it goes with the process that holds it."""
    folder = os.path.dirname(path)
    with file_errors(folder, "write to"):
        os.makedirs(folder, exist_ok=True)
        lock = open(os.path.join(folder, ".lock"), "a", encoding="utf-8")  # noqa: SIM115 - the caller's block is inside
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _prepare(path: str) -> None:
    """A new database is one whose readers and writer do not wait for each other; that is kept in the file.

    A writer waits for another one: mlflow gives each session a busy_timeout of 20 seconds.
    """
    if not os.path.exists(path):
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA journal_mode=WAL")


def _is_of_mlflow(error: Exception) -> bool:
    own = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return bool(own & {"mlflow", "requests", "sqlalchemy", "sqlite3", "urllib3"})


def _quiet() -> None:
    """What a team trains is nobody else's business: mlflow reports its use to its makers unless it is told not to."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # As a run ends it prints the server's URL, with the user and password in it, into the step's log.
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    # Each step would tell again how it opens the database.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
