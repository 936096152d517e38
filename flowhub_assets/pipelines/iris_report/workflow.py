"""A diamond over Fisher's iris data: load, two independent looks at the numbers, one report with a plot."""

import csv
import io

from flowhub import flow, get_storage, show, task

MEASURES = ["sepal length", "sepal width", "petal length", "petal width"]
COLOURS = {"setosa": "#4C6EF5", "versicolor": "#F59F00", "virginica": "#E64980"}


def read_table(url, env):
    """The table at ``url``: a (150, 4) array of centimetres, and the species of each flower."""
    import numpy

    rows = list(csv.DictReader(io.StringIO(get_storage(env).read(url).decode("utf-8"))))
    return numpy.array([[float(row[name]) for name in MEASURES] for row in rows]), [row["species"] for row in rows]


@task(cpu="250m", memory="512Mi", retries=2, retry_delay=5)
def load_iris(args):
    """Writes the 150 flowers that ship with scikit-learn to the storage, as CSV.

    The table itself stays in the storage; what travels is its URL and a small summary.
    """
    from sklearn.datasets import load_iris as bundled

    iris = bundled()
    species = [str(iris.target_names[index]) for index in iris.target]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*MEASURES, "species"])
    table.writerows([*values, kind] for values, kind in zip(iris.data.tolist(), species))
    env = args["env"]
    url = get_storage(env).write(f"{env['project']}/{env['run_id']}/iris.csv", text.getvalue().encode("utf-8"))
    show("first flowers", [dict(zip(MEASURES, row), species=species[0]) for row in iris.data[:5].tolist()])
    return {
        **args,
        "iris_url": url,
        "flowers": len(species),
        "species": {kind: species.count(kind) for kind in dict.fromkeys(species)},
    }


@task(cpu="500m", memory="1Gi", retries=1)
def compare_species(args):
    """Asks which measure tells the species apart: means, and a one-way analysis of variance for each measure.

    F is the variance between the species over the variance within them; eta² is the share of all variance
    that the species explain, from 0 to 1.
    """
    from scipy.special import fdtrc

    values, species = read_table(args["iris_url"], args["env"])
    groups = {kind: values[[name == kind for name in species]] for kind in args["species"]}
    means = {kind: dict(zip(MEASURES, group.mean(axis=0).round(3).tolist())) for kind, group in groups.items()}
    spreads = {kind: dict(zip(MEASURES, group.std(axis=0, ddof=1).round(3).tolist())) for kind, group in groups.items()}
    anova = {}
    for column, name in enumerate(MEASURES):
        middle = values[:, column].mean()
        between = float(sum(len(group) * (group[:, column].mean() - middle) ** 2 for group in groups.values()))
        within = float(sum(((group[:, column] - group[:, column].mean()) ** 2).sum() for group in groups.values()))
        freedom = len(groups) - 1, len(values) - len(groups)
        f = (between / freedom[0]) / (within / freedom[1])
        anova[name] = {
            "F": round(f, 2),
            "p": float(f"{fdtrc(*freedom, f):.3g}"),
            "eta²": round(between / (between + within), 4),
        }
    show("mean by species, cm", [{"species": kind, **row} for kind, row in means.items()])
    show("analysis of variance", [{"measure": name, **row} for name, row in anova.items()])
    return {**args, "means": means, "standard_deviations": spreads, "anova": anova}


@task(cpu="500m", memory="1Gi", retries=1)
def find_structure(args):
    """Asks how the measures hang together: their correlations, and their two principal components.

    The components are those of the standardised measures, so that no measure counts more for being larger.
    """
    import numpy

    values, _ = read_table(args["iris_url"], args["env"])
    correlation = numpy.corrcoef(values.T).round(4)
    standard = (values - values.mean(axis=0)) / values.std(axis=0)
    _, sizes, directions = numpy.linalg.svd(standard, full_matrices=False)
    # A component may point either way: the greater loadings shall point to the right and up.
    loadings = directions[:2] * numpy.sign(directions[:2].sum(axis=1, keepdims=True))
    explained = (sizes[:2] ** 2 / (sizes**2).sum()).round(4)
    show(
        "correlations",
        [{"measure": name, **dict(zip(MEASURES, row))} for name, row in zip(MEASURES, correlation.tolist())],
    )
    show("variance in two components", round(float(explained.sum()), 4))
    return {
        **args,
        "correlation": correlation,
        "explained_variance": explained,
        "loadings": loadings.round(4),
        "points": (standard @ loadings.T).round(3),
    }


@task(cpu="500m", memory="1Gi", timeout=300)
def report(args):
    """Puts both branches together: the findings in words, and a plot."""
    env = args["env"]
    anova = args["anova"]
    best = max(anova, key=lambda name: anova[name]["F"])
    weakest = min(anova, key=lambda name: anova[name]["F"])
    explained = sum(args["explained_variance"])
    findings = [
        f"**{best.capitalize()}** tells the species apart best: {in_words(anova[best])}.",
        f"**{weakest.capitalize()}** does so least: {in_words(anova[weakest])}.",
        f"Two components hold **{explained:.0%}** of what the four measures say.",
    ]
    show("findings", "\n".join(f"- {line}" for line in findings))
    _, species = read_table(args["iris_url"], env)
    figure = draw(args, species)
    show("iris at a glance", figure)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", bbox_inches="tight")
    plot_url = get_storage(env).write(f"{env['project']}/{env['run_id']}/iris.png", picture.getvalue())
    return {"iris_url": args["iris_url"], "plot_url": plot_url, "best_measure": best, "findings": findings}


def in_words(row):
    """One line of the analysis of variance."""
    return f"F = {row['F']:,.0f}, eta² = {row['eta²']:.0%}"


def draw(args, species):
    """Both branches in one figure: the flowers on their two components, eta² by measure, the correlations."""
    import numpy
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    ink, quiet = "#212529", "#868E96"
    figure = Figure(figsize=(11, 5.6), dpi=90, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    flowers, bars, grid = figure.subplot_mosaic("AAB\nAAC", width_ratios=[1, 1, 1.15]).values()
    figure.suptitle("Three kinds of iris, four measures, 150 flowers", x=0.01, ha="left", fontsize=15, color=ink)

    points = numpy.array(args["points"])
    shares = args["explained_variance"]
    for kind, colour in COLOURS.items():
        own = points[[name == kind for name in species]]
        flowers.scatter(
            own[:, 0], own[:, 1], s=34, color=colour, alpha=0.75, edgecolor="white", linewidth=0.6, zorder=3
        )
        middle = own.mean(axis=0)
        flowers.annotate(
            kind, (middle[0], own[:, 1].max() + 0.25), color=colour, ha="center", fontsize=12, weight="bold"
        )
    flowers.set_xlabel(f"first component ({shares[0]:.0%} of the variance)", color=quiet)
    flowers.set_ylabel(f"second component ({shares[1]:.0%})", color=quiet)
    flowers.margins(0.08)
    flowers.grid(color="#F1F3F5", zorder=0)

    names = sorted(MEASURES, key=lambda name: args["anova"][name]["eta²"])
    sizes = [args["anova"][name]["eta²"] for name in names]
    bars.barh(names, sizes, color=["#CED4DA"] * 3 + [COLOURS["setosa"]], height=0.62)
    for position, size in enumerate(sizes):
        shade = "white" if size == max(sizes) else ink
        bars.text(size - 0.02, position, f"{size:.0%}", va="center", ha="right", fontsize=9, color=shade)
    bars.set_title("variance explained by species (eta²)", loc="left", fontsize=10, color=ink)
    bars.set_xlim(0, 1)
    bars.set_xticks([])

    shades = LinearSegmentedColormap.from_list("iris", [COLOURS["setosa"], "white", COLOURS["virginica"]])
    grid.imshow(args["correlation"], cmap=shades, vmin=-1, vmax=1, aspect="auto")
    grid.set_xticks(range(4), [name.replace(" ", "\n") for name in MEASURES])
    grid.set_yticks(range(4), MEASURES)
    for (row, column), value in numpy.ndenumerate(args["correlation"]):
        shade = "white" if abs(value) > 0.65 else ink
        grid.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=9, color=shade)
    grid.set_title("correlation", loc="left", fontsize=10, color=ink)
    for axes in (flowers, bars, grid):
        axes.tick_params(length=0, labelsize=9, labelcolor=quiet)
        axes.spines[:].set_visible(False)
    return figure


@flow(
    name="iris-report",
    description="What tells three kinds of iris apart? Two statistics side by side, and one report with a plot.",
    env={
        "default": {"WORKSPACE": "./tmp"},
        "airflow": {"BUCKET": "my-bucket", "REGION_NAME": "ap-northeast-2"},
    },
    tags=["example", "statistics"],
    owners=["team:examples"],
    schedule="@daily",
)
def main(args):
    loaded = load_iris(args)
    compared = compare_species(loaded)
    structured = find_structure(loaded)
    return report(compared, structured)
