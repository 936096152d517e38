"""Service B: makes a data set of stored objects. Its .proto is written by `flowhub proto`, from the classes below."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum

from flowhub import flow, show, task


class Part(Enum):
    """What an object is for."""

    TRAIN = "train"
    TEST = "test"


@dataclass
class DataInfo:
    """What the data set is made of."""

    object_storage_urls: list[str]
    dataset: str
    labels: dict[str, str] = field(default_factory=dict)


@dataclass
class ServerBRequest:
    """How the data set is split, and for how long it is kept."""

    data_info: DataInfo = field(default_factory=lambda: DataInfo([f"s3://lake/{n}.wav" for n in range(8)], "voices"))
    test_share: float = 0.25
    keep_for: timedelta | None = None


@dataclass
class Item:
    """An object of the data set."""

    url: str
    part: Part


@dataclass
class Split:
    """The data set, split."""

    dataset: str
    items: list[Item]
    keep_for: timedelta | None = None


@dataclass
class ServerBResponse:
    """The data set, and how many objects each part has."""

    dataset: str
    items: list[Item]
    counts: dict[str, int]
    keep_for: timedelta | None = None


@task(cpu="100m", memory="128Mi")
def split(args: ServerBRequest) -> Split:
    """Puts each object into a part: the last ones are for the test."""
    urls = sorted(set(args.data_info.object_storage_urls))
    for_test = round(len(urls) * args.test_share)
    parts = [Part.TRAIN] * (len(urls) - for_test) + [Part.TEST] * for_test
    return Split(args.data_info.dataset, [Item(url, part) for url, part in zip(urls, parts)], args.keep_for)


@task(cpu="100m", memory="128Mi")
def describe(done: Split) -> ServerBResponse:
    """Counts the objects of each part."""
    counts = {part.value: sum(item.part is part for item in done.items) for part in Part}
    show("counts", [{"part": name, "objects": count} for name, count in counts.items()])
    return ServerBResponse(done.dataset, done.items, counts, done.keep_for)


@flow(
    name="server-b",
    description="Splits stored objects into a data set for training and testing: a gRPC service of its own.",
    params=ServerBRequest,
    result=ServerBResponse,
    env={
        "default": {"WORKSPACE": "./tmp"},
        # Tasks that take objects need pydantic in their image.
        "airflow": {"BUCKET": "my-bucket", "REGION_NAME": "ap-northeast-2", "K8S_IMAGE": "my-registry/pydantic:3.11"},
    },
    tags=["example", "grpc"],
    owners=["team:examples"],
)
def main(args):
    done = split(args)
    return describe(done)
