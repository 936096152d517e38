"""Predictions for a whole table by the champion: the same answers as /predict gives, from storage to storage."""

from flowhub import flow, ml, show, task

INK, QUIET, LINE = "#212529", "#CED4DA", "#4C6EF5"


@task(cpu="500m", memory="1Gi", retries=1, retry_on=["RunError"], kinds=["mlflow", "csv"])
def predictions(args):
    """Predicts every row of the CSV at url, or of the newest published data set, and writes the table with answers.

    The same rows and the same champion give the same file. A row that the model does not take is told, and nothing is
    written.
    """
    made = ml.predict_batch(args["model"], args["url"], args["env"])
    show("predictions", f"{made['rows']:,} rows by {made['model']}, version {made['version']}: `{made['url']}`")
    show("rows", made["rows"])
    show("first rows", made["first"])
    show("what was predicted", draw(made))
    return made


def draw(made):
    """What was predicted beside what the model predicts of its training rows."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.4), dpi=90, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    figure.suptitle(f"What {made['model']}, version {made['version']}, predicts", x=0.01, ha="left", fontsize=13)
    names = list(made["distribution"])
    found = [made["distribution"][name] / max(1, made["rows"]) for name in names]
    axes.bar([one - 0.2 for one in range(len(names))], [made["expected"][name] for name in names], 0.38, color=QUIET)
    axes.bar([one + 0.2 for one in range(len(names))], found, 0.38, color=LINE)
    axes.legend(["of the training rows", "of this table"], frameon=False, fontsize=9, labelcolor=INK)
    axes.set_xticks(range(len(names)), names, fontsize=9, rotation=0 if len(names) < 5 else 35)
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.tick_params(length=0, labelsize=9)
    axes.spines[:].set_visible(False)
    return figure


@flow(
    name="batch-predictions",
    description="Every row of a table predicted by the champion: a CSV of the storage, or the newest data set.",
    params={"model": "iris", "url": ""},
    imports=["pandas", "matplotlib.figure", "mlflow.pyfunc"],
    env={
        "default": {"WORKSPACE": "./tmp"},
        "airflow": {
            "BUCKET": "my-bucket",
            "REGION_NAME": "ap-northeast-2",
            "MLFLOW_TRACKING_URI": "http://mlflow.example.com:5000",
        },
    },
    deps=["serving/traffic"],
    tags=["example", "ml"],
    owners=["team:examples"],
)
def main(args):
    return predictions(args)
