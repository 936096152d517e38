"""Service A: what lies at a list of URLs. It is bound to a .proto whose clients were there before."""

import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum

from flowhub import flow, show, task


class Mode(Enum):
    """What is done with each URL."""

    LIST = "list"
    VERIFY = "verify"


@dataclass
class ServerARequest:
    """What is to be collected; only what has changed ``since``, if that is said."""

    urls: list[str] = field(default_factory=lambda: ["s3://lake/voices/a.wav", "s3://lake/voices/b.wav"])
    mode: Mode = Mode.LIST
    since: datetime | None = None


@dataclass
class StoredObject:
    """What lies at a URL."""

    url: str
    size: int
    changed: datetime


@dataclass
class Found:
    """All that lies there, before it is sifted."""

    objects: list[StoredObject]
    mode: Mode
    since: datetime | None = None


@dataclass
class ServerAResponse:
    """What was collected."""

    objects: list[StoredObject]
    total_bytes: int
    mode: Mode


@task(cpu="100m", memory="128Mi")
def collect(args: ServerARequest) -> Found:
    """Looks at each URL. A real one would ask the storage; here size and time are made of the URL itself."""
    return Found([looked_at(url) for url in args.urls], args.mode, args.since)


@task(cpu="100m", memory="128Mi")
def summarize(found: Found) -> ServerAResponse:
    """Leaves out what is too old, and adds up the rest."""
    kept = [one for one in found.objects if found.since is None or one.changed >= found.since]
    show("objects", [{"url": one.url, "bytes": one.size} for one in kept])
    return ServerAResponse(kept, sum(one.size for one in kept), found.mode)


def looked_at(url):
    """A stored object for a URL, the same each time."""
    number = zlib.crc32(url.encode())
    changed = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number % 525_600)
    return StoredObject(url, size=number % 1_000_000, changed=changed)


@flow(
    name="server-a",
    description="Collects what a list of URLs names: a gRPC service with a contract that its clients already have.",
    params=ServerARequest,
    result=ServerAResponse,
    grpc="server_a.proto:gps.server_a.ServerA.Collect",
    env={
        "default": {"WORKSPACE": "./tmp"},
        # Tasks that take objects need pydantic in their image.
        "airflow": {"BUCKET": "my-bucket", "REGION_NAME": "ap-northeast-2", "K8S_IMAGE": "my-registry/pydantic:3.11"},
    },
    tags=["example", "grpc"],
    owners=["team:examples"],
)
def main(args):
    found = collect(args)
    return summarize(found)
