"""A search for hyper-parameters: one step for Dagster, a run with nested runs for MLflow, a study that Optuna keeps.

The study lies in the workspace (``search/search.db``) or where OPTUNA_STORAGE of the profile says. A search that was
killed goes on where it was: the same study, the same run in MLflow. Held-out rows take no part: a trial is judged by
folds of the training rows, so that the gate afterwards sees rows on which nothing was decided.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import InputError, ProfileError, RunError
from flowhub_assets.ml.data_set_versions import published
from flowhub_assets.ml.data_sets import DataSet
from flowhub_assets.ml.features import fit_features
from flowhub_assets.ml.hyperparameters import Hyperparameters, checked_bounds, checked_hyperparameters, used_by
from flowhub_assets.ml.mlflow_runs import PROCESS, TrackedRun, is_gone, this_process, tracked_run
from flowhub_assets.ml.models import device_of, require_model, scores
from flowhub_assets.ml.splitting import split
from flowhub_assets.ml.tracking import one_process, resolved_value
from flowhub_assets.ml.training import encoded_rows, fit_rows, metrics_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial
    from pandas import DataFrame

STORAGE = "OPTUNA_STORAGE"
_FOLDS = 3
#: The measure that a trial is judged by; less is better.
_MEASURES = {"classification": "log_loss", "regression": "rmse"}
#: Attributes of a study and of a trial. One that failed without an error was killed, or cut off by the time.
_MLFLOW_RUN, _ERROR = "mlflow_run_id", "error"
_MOST_TOLD = 100


@dataclass(frozen=True)
class _Task:
    """What every trial is about."""

    data_set: DataSet
    model: str
    frame: DataFrame
    device: str
    seed: int
    until: float
    env: Mapping[str, Any]
    experiment: str

    @property
    def measure(self) -> str:
        return _MEASURES[self.data_set.kind]


class _OutOfTime(Exception):
    pass


class _Pruned(Exception):
    pass


def search(
    data_set: str, model: str, trials: int, seconds: float, env: Mapping[str, Any], seed: int = 0
) -> dict[str, Any]:
    """Looks for the hyper-parameters of ``model`` with the least log loss (or RMSE) in folds of the training rows.

    At most ``trials`` of them, over all the times that this search was started, pruned and failed ones included; and
    at most about ``seconds`` this time: what goes on then is stopped at the end of its fold, and not counted.

    Returns {data_set, data_set_version, model, kind, measure, best: {trial, value, hyperparameters} or None, trials:
    {complete, pruned, failed, cut_off}, history, mlflow_run_id, mlflow_url, seconds}. Raises InputError for bounds,
    models and data sets that are none; ProfileError without a place for the study; RunError as ``train`` does.
    """
    import optuna

    require_model(model)
    checked_bounds({"trials": trials, "seconds": seconds, "seed": seed})
    begun = time.monotonic()
    known, frame, version = published(data_set, env)
    rows, _ = split(frame)
    if len(rows) < 2 * _FOLDS:
        raise InputError(f"data set {data_set!r} has {len(rows)} rows to train on", remedy="Publish more rows.")
    experiment = f"{data_set}-search"
    task = _Task(known, model, rows, device_of(env), seed, begun + seconds, env, experiment)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = _study(f"{data_set} {version['version']} {model}", env, seed)
    _end_killed(study)
    tags = {"data_set": data_set, "data_set_version": version["version"], "model": model, "kind": known.kind}
    before = study.user_attrs.get(_MLFLOW_RUN)
    with tracked_run(env, experiment, f"{data_set}-{model}-search", tags, again=before) as run:
        study.set_user_attr(_MLFLOW_RUN, run.run_id)
        if before:
            print(f"goes on with {_counted(study)} of {trials} trials")
        while _counted(study) < trials and time.monotonic() < task.until:
            _one_trial(study, task, run, trials)
        told = _told(study, task)
        _log_best(run, told)
    return {
        **tags,
        **told,
        "mlflow_run_id": run.run_id,
        "mlflow_url": run.url,
        "seconds": round(time.monotonic() - begun, 3),
    }


def _study(name: str, env: Mapping[str, Any], seed: int) -> Study:
    """The study of that name, which is made if it is not there: minimises, and prunes what is worse than the median."""
    import optuna

    url = resolved_value(env, STORAGE)
    workspace = resolved_value(env, "WORKSPACE")
    options: dict[str, Any] = {}
    if url is None:
        if not workspace:
            raise ProfileError(
                f"the profile has neither {STORAGE} nor WORKSPACE",
                effect="A study in a database cannot lie in a bucket.",
                remedy=f"Name a database: {STORAGE}='postgresql+psycopg2://...', or a WORKSPACE.",
            )
        path = os.path.join(os.path.abspath(os.path.expanduser(os.fspath(workspace))), "search", "search.db")
        url, options = f"sqlite:///{path}", {"connect_args": {"timeout": 60}}
    else:
        path = os.path.join(os.path.abspath(os.path.expanduser(str(workspace or "."))), "search", "search.db")
    with one_process(path):  # two that begin at once would both make the tables
        storage = optuna.storages.RDBStorage(url, engine_kwargs=options)
        study = optuna.create_study(study_name=name, storage=storage, load_if_exists=True, direction="minimize")
    # Another seed each time it goes on: the same one would suggest what was tried.
    study.sampler = optuna.samplers.TPESampler(seed=(seed + len(study.trials)) % 2**32)
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=5)
    return study


def _end_killed(study: Study) -> None:
    """Trials whose process is gone are over; those of other machines may go on."""
    from optuna.trial import TrialState

    for trial in study.get_trials(states=[TrialState.RUNNING]):
        if is_gone(trial.user_attrs.get(PROCESS, "")):
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def _one_trial(study: Study, task: _Task, parent: TrackedRun, trials: int) -> None:
    begun = time.monotonic()
    trial = study.ask()
    trial.set_user_attr(PROCESS, this_process())
    value: float | None = None
    try:
        value, state = _tracked(trial, task, parent), "COMPLETE"
    except _OutOfTime:
        state = "FAIL"
    except _Pruned:
        state = "PRUNED"
    except RunError:  # MLflow or the GPU is gone: no further trial would fare better
        study.tell(trial, state=_state("FAIL"))
        raise
    except Exception as error:  # noqa: BLE001 - one trial that fails ends no search; it is told
        state = "FAIL"
        trial.set_user_attr(_ERROR, f"{type(error).__name__}: {error}"[:500])
    study.tell(trial, value, _state(state))
    word = _word(study.trials[trial.number]).replace("_", " ")
    print(_line(study, trial.number, value, word, trials, time.monotonic() - begun), flush=True)


def _tracked(trial: Trial, task: _Task, parent: TrackedRun) -> float:
    """One trial as a nested run of MLflow: FINISHED, KILLED where it was pruned or cut off, else FAILED."""
    given = _suggested(trial, task)
    tags = {"model": task.model, "trial": str(trial.number)}
    stopped: Exception
    with tracked_run(task.env, task.experiment, f"trial {trial.number}", tags, parent=parent.run_id) as run:
        for name, value in used_by(task.model, given).items():
            run.client.log_param(run.run_id, name, value)
        try:
            judged = _judged(trial, task, given, run)
            run.client.log_metric(run.run_id, task.measure, judged)
            return judged
        except (_OutOfTime, _Pruned) as error:
            stopped = error
    run.client.set_terminated(run.run_id, "KILLED")
    raise stopped


def _state(name: str) -> Any:
    from optuna.trial import TrialState

    return TrialState[name]


def _suggested(trial: Trial, task: _Task) -> Hyperparameters:
    """Values within the bounds of Hyperparameters, from where trees of this size of data are good."""
    chosen: dict[str, Any] = {
        "trees": trial.suggest_int("trees", 20, 400, log=True),
        "depth": trial.suggest_int("depth", 1, 8),
        "leaf_rows": trial.suggest_int("leaf_rows", 1, 20),
        "row_share": trial.suggest_float("row_share", 0.5, 1.0),
        "column_share": trial.suggest_float("column_share", 0.4, 1.0),
    }
    if "learning_rate" in used_by(task.model, Hyperparameters()):
        chosen["learning_rate"] = trial.suggest_float("learning_rate", 0.01, 0.3, log=True)
    return checked_hyperparameters({**chosen, "seed": task.seed})


def _judged(trial: Trial, task: _Task, given: Hyperparameters, run: TrackedRun) -> float:
    """The mean of the measure over the folds. Raises _Pruned as soon as the others were better, and _OutOfTime."""
    losses: list[float] = []
    for number, (train, held) in enumerate(_folds(task.frame)):
        if time.monotonic() >= task.until:
            raise _OutOfTime
        features = fit_features(task.data_set, train)
        fitted = fit_rows(task.model, features, train, held, given, task.device)
        rows = encoded_rows(features, held)
        scored = scores(task.model, len(features.classes), fitted.estimator, rows.features)
        losses.append(metrics_of(task.data_set.kind, rows.target, scored)[task.measure])
        run.client.log_metric(run.run_id, f"fold_{task.measure}", losses[-1], step=number)
        trial.report(sum(losses) / len(losses), number)
        if number < _FOLDS - 1 and trial.should_prune():
            raise _Pruned
    return sum(losses) / len(losses)


def _folds(frame: DataFrame) -> Iterator[tuple[DataFrame, DataFrame]]:
    """(train, held) for each fold; every row is held once. Rows are sorted, so neighbours go to different folds."""
    for fold in range(_FOLDS):
        held = [number % _FOLDS == fold for number in range(len(frame))]
        yield frame[[not one for one in held]], frame[held]


def _counted(study: Study) -> int:
    """How many trials have ended by themselves."""
    counts = _counts(study)
    return counts["complete"] + counts["pruned"] + counts["failed"]


def _counts(study: Study) -> dict[str, int]:
    words = [_word(trial) for trial in study.get_trials(deepcopy=False)]
    return {word: words.count(word) for word in ("complete", "pruned", "failed", "cut_off")}


def _word(trial: FrozenTrial) -> str:
    if trial.state.name == "FAIL":
        return "failed" if _ERROR in trial.user_attrs else "cut_off"
    return trial.state.name.lower()


def _best(study: Study) -> dict[str, Any] | None:
    from optuna.trial import TrialState

    complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if not complete:
        return None
    best = min(complete, key=lambda trial: (trial.value, trial.number))
    return {"trial": best.number, "value": best.value, "hyperparameters": dict(best.params)}


def _told(study: Study, task: _Task) -> dict[str, Any]:
    best = _best(study)
    if best is not None:
        best["hyperparameters"]["seed"] = task.seed
    rows = [
        {"trial": trial.number, "state": _word(trial).replace("_", " "), "value": trial.value, **trial.params}
        for trial in study.get_trials(deepcopy=False)[-_MOST_TOLD:]
    ]
    return {"measure": task.measure, "best": best, "trials": _counts(study), "history": rows}


def _log_best(run: TrackedRun, told: Mapping[str, Any]) -> None:
    for name, count in told["trials"].items():
        run.client.log_metric(run.run_id, f"trials_{name}", count)
    if told["best"] is not None:
        run.client.log_metric(run.run_id, f"best_{told['measure']}", told["best"]["value"])
        for name, value in told["best"]["hyperparameters"].items():
            run.client.set_tag(run.run_id, f"best.{name}", str(value))


def _line(study: Study, number: int, value: float | None, word: str, trials: int, seconds: float) -> str:
    best = _best(study)
    told = word if value is None else f"{value:.4f}"
    of = f"; best {best['value']:.4f} of trial {best['trial']}" if best else ""
    return f"trial {number}: {told}{of}; {_counted(study)} of {trials} in {seconds:.1f} s"
