"""Two tasks in a row: the smallest pipeline that shows how a value travels."""

from flowhub import flow, task


@task(image="python:3.11-slim", cpu="500m", memory="512Mi")
def count_words(args):
    """Counts how often each word comes in the text."""
    words = args["text"].lower().split()
    counts = {word: words.count(word) for word in sorted(set(words))}
    print(f"{len(words)} words, {len(counts)} different ones")
    return {**args, "words": len(words), "counts": counts}


@task(image="python:3.11-slim", cpu="1", memory="1Gi")
def find_favourite(args):
    """Names the most frequent word. `args` holds what count_words returned, and the profile in `args['env']`."""
    favourite = max(args["counts"], key=args["counts"].get)
    if args["env"].get("DEBUG"):
        print("counts:", args["counts"])
    print(f"{favourite!r} comes {args['counts'][favourite]} times")
    return {**args, "favourite": favourite}


@flow(
    name="quick-start",
    description="Two tasks in a row: count the words of a text, then name the favourite.",
    namespace="airflow",
    params={"text": "the quick brown fox jumps over the lazy dog and the dog sleeps on"},
    env={
        "default": {"WORKSPACE": "./tmp", "DEBUG": True},
        "airflow": {"BUCKET": "my-bucket", "REGION_NAME": "ap-northeast-2"},
    },
    tags=["example"],
    owners=["team:examples"],
)
def main(args):
    counted = count_words(args)
    return find_favourite(counted)
