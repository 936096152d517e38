"""From a CSV file of employees to a table of a database: judged row by row, incremental, and as often as you like."""

import datetime
import hashlib
import json
from pathlib import Path

from flowhub import check, describe_table, flow, get_storage, ml, show, task

DEPARTMENTS = ("Engineering", "Finance", "Operations", "People", "Sales")
TABLE, KEY, NEWEST = "employees", "employee_id", "updated_on"
COLUMNS = (
    ml.Column(KEY, "integer", "the number that HR gives", low=1),
    ml.Column("name", "text", "first and last name", private=True),
    ml.Column("email", "text", "at work", private=True),
    ml.Column("department", "category", "where they work", values=DEPARTMENTS),
    ml.Column("title", "text", "what they do"),
    ml.Column("hired_on", "date", "their first day", low="1980-01-01"),
    ml.Column("salary_eur", "number", "for a year, before tax", low=12_000, high=1_000_000, private=True),
    ml.Column("manager_id", "integer", "the number of whom they report to", nullable=True, low=1),
    ml.Column(NEWEST, "date", "when HR last changed the row", low="1980-01-01"),
)
#: What a row is rejected for → the check that tells it. More rejects than this share of the rows stop the run.
CHECKS = {"nulls": ("null",), "ranges": ("range", "value", "type", "cells"), "duplicates": ("duplicate",)}
MOST_REJECTED = 0.2


@task(cpu="250m", memory="256Mi", retries=2, retry_delay=5, kinds=["csv"])
def file(args):
    """Takes the file as it is, and keeps a copy under a name made of its content.

    It is the param `file` (an object of the storage), else the profile's EMPLOYEES_URL (http, https or the storage),
    else the one shipped here.
    """
    env = args["env"]
    storage = get_storage(env)
    if args["file"]:
        # Whoever may start a run names an object of its own storage, not any address that this machine can reach.
        data, source = storage.read(args["file"]), args["file"]
    elif env.get("EMPLOYEES_URL"):
        data, source = ml.read_source(env["EMPLOYEES_URL"], env), "EMPLOYEES_URL"
    else:
        data, source = Path(__file__).with_name("employees.csv").read_bytes(), "employees.csv, as shipped"
    version = hashlib.sha256(data).hexdigest()[:12]
    kept = storage.write(f"employees/files/{version}.csv", data)
    show("version", f"`{version}`")
    show("source", source)
    describe_table(rows=max(len(data.splitlines()) - 1, 0), url=kept)
    return {"file_url": kept, "version": version, "source": source}


@task(
    cpu="250m",
    memory="512Mi",
    checks={**dict.fromkeys(CHECKS, "error"), "rejects": "blocking"},
    kinds=["python"],
)
def rows(args):
    """Judges each row by its columns. A row that does not fit goes into a file of its own, with the reason."""
    env, version = args["env"], args["version"]
    storage = get_storage(env)
    found = ml.validate_csv(storage.read(args["file_url"]), COLUMNS, KEY, NEWEST, source=args["file_url"])
    names = ["line", "kind", "column", "reason", *(column.name for column in COLUMNS)]
    rejects_url = storage.write(f"employees/rejects/{version}.csv", ml.csv_of(found.rejects, names))
    document = json.dumps({"rows": found.rows, "seen": found.seen}, ensure_ascii=False).encode()
    rows_url = storage.write(f"employees/rows/{version}.json", document)
    tell_rejects(found, rejects_url)
    describe_table(COLUMNS, rows=len(found.rows), url=rows_url)
    return {
        **args,
        "rows_url": rows_url,
        "rows": len(found.rows),
        "rejects_url": rejects_url,
        "rejects": len(found.rejects),
        "newest": max((row[NEWEST] for row in found.rows), default=""),
    }


def tell_rejects(found, url):
    """A check for each kind of fault, and one that stops the run where the file as a whole is not to be trusted."""
    for name, kinds in CHECKS.items():
        told = [reject for reject in found.rejects if reject["kind"] in kinds]
        reasons = "; ".join(f"line {reject['line']}: {reject['reason']}" for reject in told[:5])
        check(name, not told, reasons or f"none in {len(found.rows):,} rows", rows=len(told))
    share = len(found.rejects) / max(len(found.rejects) + len(found.rows), 1)
    kept = f"{len(found.rejects):,} rows ({share:.0%}) are in {url}; up to {MOST_REJECTED:.0%} are held back"
    check("rejects", bool(found.rows) and share <= MOST_REJECTED, kept, rejected_rows=len(found.rejects))
    if found.rejects:
        shown = [{name: reject[name] for name in ("line", "kind", "column", "reason")} for reject in found.rejects]
        show("rejected rows", shown[:20])


@task(cpu="250m", memory="512Mi", retries=2, retry_delay=10, checks={"freshness": "error"}, kinds=["postgres", "table"])
def table(args):
    """Brings the table up to the file in one transaction: new rows are inserted, changed ones updated.

    An older state of a row never undoes a newer one. Who is no longer in the file stays in the table, with the day in
    `gone_since`: rows of other tables may point there.
    """
    env = args["env"]
    given = json.loads(get_storage(env).read(args["rows_url"]))
    done = ml.update_table(TABLE, COLUMNS, KEY, given["rows"], env, newest=NEWEST, present=given["seen"])
    gone_since = {"name": "gone_since", "type": "date", "description": "since when the file does not have the row"}
    unique = [{**vars(column), "unique": column.name == KEY} for column in COLUMNS]
    describe_table([*unique, gone_since], rows=done["rows"], name=TABLE)
    counts = ("inserted", "updated", "unchanged", "stale", "gone", "returned")
    show("what changed", [{name: done[name] for name in counts}])
    check_freshness(args["newest"], done["newest"], env.get("FRESH_DAYS"))
    return {**done, "version": args["version"]}


def check_freshness(file, table, days):
    """Whether the file is no older than what the table had already, and no older than the profile's FRESH_DAYS."""
    today = datetime.datetime.now(datetime.UTC).date()
    age = (today - datetime.date.fromisoformat(file)).days
    fresh = file >= table and (days is None or age <= int(days))
    told = f"the newest row of the file is of {file}, that of the table of {table}"
    if days is not None:
        told += f"; it is {age:,} days old, {days} are allowed"
    check("freshness", fresh, told, newest_in_the_file=file, newest_in_the_table=table)


@task(cpu="250m", memory="512Mi", kinds=["matplotlib"])
def by_department(args):
    """How many work where, and what they earn in the middle: asked of the table, and shown without a name."""
    from statistics import median

    people = ml.read_table(TABLE, COLUMNS, args["env"])
    groups = {name: [one["salary_eur"] for one in people if one["department"] == name] for name in DEPARTMENTS}
    found = [
        {"department": name, "employees": len(group), "median_salary_eur": median(group)}
        for name, group in groups.items()
        if group
    ]
    found.sort(key=lambda row: -row["employees"])
    show("departments", found)
    show("at a glance", draw(found))
    return {"departments": found, "employees": len(people)}


def draw(found):
    """A bar for each department, as long as it has people, with the median of their salaries beside it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    ink, quiet = "#212529", "#868E96"
    figure = Figure(figsize=(7, 0.6 + 0.5 * len(found)), dpi=90, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    figure.suptitle("Who works where", x=0.01, ha="left", fontsize=13, color=ink)
    shown = found[::-1]
    axes.barh([row["department"] for row in shown], [row["employees"] for row in shown], color="#4C6EF5", height=0.6)
    for place, row in enumerate(shown):
        told = f" {row['employees']} · median {row['median_salary_eur']:,.0f} €"
        axes.text(row["employees"], place, told, va="center", fontsize=9, color=quiet)
    axes.set_xlim(0, max(row["employees"] for row in found) * 1.45)
    axes.set_xticks([])
    axes.tick_params(length=0, labelsize=10, labelcolor=ink)
    axes.spines[:].set_visible(False)
    return figure


@flow(
    name="employees",
    description="Employees from a CSV file into a table, day by day: each row is judged, only what changed is written.",
    env={
        "default": {"WORKSPACE": "./tmp"},
        "postgres": {"WORKSPACE": "./tmp", "DATABASE_URL": {"env": "DATABASE_URL"}},
        "airflow": {
            "BUCKET": "my-bucket",
            "REGION_NAME": "ap-northeast-2",
            "DATABASE_URL": {"env": "DATABASE_URL"},
        },
    },
    params={"file": ""},
    tags=["example", "database"],
    owners=["team:examples"],
    imports=["sqlalchemy", "matplotlib.figure"],
    schedule="@daily",
)
def main(args):
    taken = file(args)
    judged = rows(taken)
    loaded = table(judged)
    return by_department(loaded)
