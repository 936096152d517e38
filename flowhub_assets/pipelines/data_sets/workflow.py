"""The data sets that models are trained on: loaded, judged, published as versions, and looked at."""

from flowhub import check, describe_table, flow, ml, show, task

INK, QUIET, LINE = "#212529", "#868E96", "#F1F3F5"
COLOURS = {"setosa": "#4C6EF5", "versicolor": "#F59F00", "virginica": "#E64980"}
CHECKS = {"schema": "blocking", "duplicates": "warn"}


@task(
    cpu="250m",
    memory="512Mi",
    retries=2,
    retry_delay=5,
    checks=CHECKS,
    kinds=["scikitlearn", "csv"],
    deps=["daily_data/update"],
)
def iris(args):
    """150 flowers of three kinds: which is it, by the measures of its flower? (Fisher, 1936)"""
    return publish("iris", args["env"], draw_iris)


@task(cpu="250m", memory="512Mi", retries=2, retry_delay=5, checks=CHECKS, kinds=["pandas", "csv"])
def titanic(args):
    """1,309 passengers: who survived, by age, sex, class and family? With missing ages and with categories."""
    return publish("titanic", args["env"], draw_titanic)


@task(cpu="250m", memory="512Mi", retries=2, retry_delay=5, checks=CHECKS, kinds=["pandas", "csv"])
def housing(args):
    """1,728 houses of Saratoga County, New York: what was each sold for? A regression."""
    return publish("housing", args["env"], draw_housing)


def publish(name, env, draw):
    """Loads the rows, judges them and, where they are what the data set's columns say, publishes them as a version."""
    data_set = ml.DATA_SETS[name]
    frame, source = ml.load_data_set(name, env)
    faults = ml.schema_faults(data_set, frame)
    check_schema(data_set, frame, faults)
    check_duplicates(data_set, frame)
    if faults:
        # The check stops the run; the version that was published before stays the newest.
        return {"name": name, "source": source, "faults": [str(fault) for fault in faults]}
    made = ml.publish(name, frame, env, source)
    describe_table(data_set.columns, rows=made["rows"], url=made["url"])
    show("version", f"`{made['version']}`")
    show("source", source)
    show("first rows", frame.head(10))
    show("at a glance", draw(frame))
    return made


def check_schema(data_set, frame, faults):
    """Whether every cell is of its column's type, within its bounds, and there where it has to be."""
    said = "; ".join(str(fault) for fault in faults[:3])
    told = said or f"{len(frame):,} rows are as the {len(data_set.columns)} columns say"
    rows = [{"column": fault.column, "kind": fault.kind, "rows": fault.count, "fault": str(fault)} for fault in faults]
    check("schema", not faults, told, **({"faults": rows} if rows else {}))


def check_duplicates(data_set, frame):
    """Whether no more rows than usual repeat an earlier one: a file that was appended to itself has half of them."""
    repeated = int(frame.duplicated().sum())
    share = repeated / max(len(frame), 1)
    told = f"{repeated:,} of {len(frame):,} rows repeat an earlier one; up to {data_set.most_repeated:.0%} are usual"
    check("duplicates", share <= data_set.most_repeated, told, repeated_rows=repeated)


def new_figure(title):
    """A small figure with one pair of axes, in the manner of the other reports."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), dpi=90, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, color=INK)
    axes.tick_params(length=0, labelsize=9, labelcolor=QUIET)
    axes.spines[:].set_visible(False)
    axes.grid(color=LINE, zorder=0)
    axes.set_axisbelow(True)
    return figure, axes


def draw_iris(frame):
    """The two measures of the petal, which tell the kinds apart."""
    figure, axes = new_figure("The petal tells three kinds of iris apart")
    for kind, colour in COLOURS.items():
        own = frame[frame["species"] == kind]
        if len(own):
            axes.scatter(own["petal_length"], own["petal_width"], s=28, color=colour, alpha=0.75, edgecolor="white")
            middle = own["petal_length"].mean(), own["petal_width"].max() + 0.12
            axes.annotate(kind, middle, color=colour, ha="center", fontsize=11, weight="bold")
    axes.margins(0.12)
    axes.set_xlabel("petal length, cm", color=QUIET)
    axes.set_ylabel("petal width, cm", color=QUIET)
    return figure


def draw_titanic(frame):
    """The share that survived, for each class and sex."""
    figure, axes = new_figure("Survived, by class and sex")
    shares = frame["survived"].eq("survived").groupby([frame["passenger_class"], frame["sex"]]).mean().unstack()
    for step, (sex, colour) in enumerate((("female", COLOURS["virginica"]), ("male", COLOURS["setosa"]))):
        if sex not in shares:
            continue
        for place, share in enumerate(shares[sex].fillna(0)):
            axes.bar(place + step * 0.36, share, width=0.34, color=colour, label=sex if not place else None)
            axes.text(place + step * 0.36, share + 0.02, f"{share:.0%}", ha="center", fontsize=9, color=INK)
    axes.set_xticks([place + 0.18 for place in range(len(shares))], [f"{one} class" for one in shares.index])
    axes.set_yticks([])
    axes.set_ylim(0, 1.12)
    axes.grid(visible=False)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK)
    return figure


def draw_housing(frame):
    """The price of each house by its living area; the darker a dot, the dearer its land."""
    figure, axes = new_figure("What a house was sold for, by its living area")
    dots = axes.scatter(
        frame["living_area"], frame["price"] / 1000, c=frame["land_value"] / 1000, s=12, cmap="viridis_r", alpha=0.6
    )
    axes.set_xlabel("living area, square feet", color=QUIET)
    axes.set_ylabel("price, 1,000 US dollars", color=QUIET)
    bar = figure.colorbar(dots, ax=axes, shrink=0.9)
    bar.set_label("value of the land, 1,000 US dollars", color=QUIET, fontsize=9)
    bar.ax.tick_params(length=0, labelsize=8, labelcolor=QUIET)
    bar.outline.set_visible(False)
    return figure


@flow(
    name="data-sets",
    description="The data sets that models are trained on, as versions named after their content: "
    "iris, titanic and housing. A new object below incoming/ is a new version.",
    env={
        "default": {"WORKSPACE": "./tmp"},
        "airflow": {"BUCKET": "my-bucket", "REGION_NAME": "ap-northeast-2"},
    },
    object_arrival={"prefix": "incoming/", "pattern": "*.csv", "every": 300},
    tags=["example", "ml"],
    owners=["team:examples"],
    # One after the other: a slow run must not name an older version the newest.
    concurrency=1,
    imports=["pandas", "sklearn.datasets", "matplotlib.figure"],
)
def main(args):
    iris(args)
    titanic(args)
    housing(args)
