"""What callers of a served model met since the last look: how long it took, what failed, what was predicted."""

from flowhub import check, flow, ml, show, task

CHAMPION, CHALLENGER, QUIET = "#4C6EF5", "#F59F00", "#CED4DA"


@task(cpu="500m", memory="1Gi", checks={"traffic": "warn"}, kinds=["prometheus"])
def traffic(args):
    """Reads the counters of the front and of each version; warns of slow answers, errors and shifted predictions."""
    told = ml.traffic(args["model"], args["env"])
    verdict = ml.judge_traffic(told, p95=args["p95"], errors=args["errors"], psi=args["psi"])
    shown = {"versions": verdict["table"]} if verdict["table"] else {}
    check("traffic", verdict["passed"], "; ".join(verdict["reasons"]) or "all within its bounds", **shown)
    for one in told["versions"]:
        if one["predictions"]:
            show(f"predictions of version {one['version']}", draw(one))
    return told


@task(cpu="500m", memory="1Gi", checks={"ab": "warn"}, kinds=["prometheus"])
def ab(args):
    """Compares champion and challenger by the held-out rows of the newest data, whose answers are known."""
    compared = ml.compare_arms(args["model"], args["env"])
    words = {
        "no challenger": "no challenger has traffic",
        "alike": f"they are alike (p = {compared['p']})",
        "better": f"the challenger is better (p = {compared['p']}): promote it",
        "worse": f"the challenger is worse (p = {compared['p']}): take its traffic away",
    }
    shown = {"versions": compared["table"], "rows": compared["rows"]} if compared["compared"] else {}
    check("ab", compared["verdict"] != "worse", words[compared["verdict"]], **shown)
    return compared


def draw(version):
    """What was predicted beside what the model predicts of its training rows."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.4), dpi=90, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    title = f"{version['predictions']:,} predictions of version {version['version']} ({version['alias']})"
    figure.suptitle(title, x=0.01, ha="left", fontsize=13)
    names = list(version["expected"])
    places = range(len(names))
    colour = CHAMPION if version["alias"] == "champion" else CHALLENGER
    axes.bar([one - 0.2 for one in places], [version["expected"][name] for name in names], 0.38, color=QUIET)
    axes.bar([one + 0.2 for one in places], [version["shares"][name] for name in names], 0.38, color=colour)
    axes.legend(["of the training rows", "asked by callers"], frameon=False, fontsize=9)
    axes.set_xticks(list(places), names, fontsize=9, rotation=0 if len(names) < 5 else 35)
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.tick_params(length=0, labelsize=9)
    axes.spines[:].set_visible(False)
    return figure


@flow(
    name="serving-watch",
    description="Latency, errors and predictions of a served model since the last look; champion against challenger.",
    params={"model": "iris", "p95": 0.25, "errors": 0.01, "psi": 0.25},
    schedule="*/15 * * * *",
    deps=["serving/traffic"],
    concurrency=1,
    imports=["pandas", "matplotlib.figure"],
    env={
        "default": {"WORKSPACE": "./tmp"},
        "airflow": {
            "BUCKET": "my-bucket",
            "REGION_NAME": "ap-northeast-2",
            "MLFLOW_TRACKING_URI": "http://mlflow.example.com:5000",
            "WORKSPACE": "/var/lib/flowhub",
        },
    },
    tags=["example", "ml"],
    owners=["team:examples"],
)
def main(args):
    traffic(args)
    return ab(args)
