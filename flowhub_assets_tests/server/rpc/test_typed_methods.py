"""Flows bound to a team's own .proto: what fits is offered, what does not is refused with all that differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowhub_assets.errors import DefinitionError
from flowhub_assets.from_python.loading import load_file
from flowhub_assets.server.rpc.typed_methods import own_text, typed_method

FLOW = """\
import dataclasses, datetime, enum
from typing import Optional
from flowhub import flow, task

class Kind(enum.Enum):
    GOOD = "good"
    BAD = "bad"

@dataclasses.dataclass
class Inner:
    number: int

@dataclasses.dataclass
class Request:
    names: list[str]
    inner: Inner
    kind: Kind = Kind.GOOD
    when: Optional[datetime.datetime] = None
    extra: int = 3

@dataclasses.dataclass
class Answer:
    count: int

@task
def work(args: Request) -> Answer:
    return Answer(len(args.names))

@flow(name="bound", params=Request, result=Answer, grpc="protos/team.proto:team.v1.Team.Ask")
def main(args):
    return work(args)
"""

PROTO = """\
syntax = "proto3";
package team.v1;
import "protos/inner.proto";
import "google/protobuf/timestamp.proto";
enum Kind { KIND_UNKNOWN = 0; KIND_GOOD = 1; BAD = 5; }
message Request { repeated string names = 1; Inner inner = 2; Kind kind = 3; google.protobuf.Timestamp when = 9; }
message Answer { int32 count = 1; }
service Team { rpc Ask(Request) returns (Answer); rpc Flow(stream Request) returns (Answer); }
"""
INNER = 'syntax = "proto3"; package team.v1; message Inner { sint64 number = 1; }'


def written(folder: Path, *changes: tuple[str, str], grpc: str = "team.v1.Team.Ask") -> str:
    """The workflow and its .proto files, the latter with ``changes``."""
    (folder / "protos").mkdir()
    proto = PROTO
    for old, new in changes:
        assert old in proto
        proto = proto.replace(old, new)
    (folder / "protos" / "team.proto").write_text(proto)
    (folder / "protos" / "inner.proto").write_text(INNER)
    (folder / "workflow.py").write_text(FLOW.replace("team.v1.Team.Ask", grpc))
    return str(folder / "workflow.py")


def test_what_fits_is_offered_under_the_teams_own_name(tmp_path: Path) -> None:
    (runnable,) = load_file(written(tmp_path))
    method = typed_method(runnable)

    assert method.path == "/team.v1.Team/Ask"
    assert method.request.DESCRIPTOR.full_name == "team.v1.Request"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("repeated string names", "string names", "Request.names is a list, team.v1.Request.names is string"),
        ("repeated string names", "repeated int32 names", "Request.names is string, team.v1.Request.names is repeated"),
        ("Inner inner = 2;", "", "Request.inner is not in team.v1.Request"),
        ("Inner inner = 2;", "Inner inner = 2; bool more = 7;", "team.v1.Request.more is not in Request"),
        ("google.protobuf.Timestamp when", "int64 when", "Request.when is timestamp, team.v1.Request.when is int64"),
        ("BAD = 5;", "BAD = 5; WORSE = 6;", "team.v1.Request.kind may be WORSE, which Request.kind has not"),
        ("Kind kind = 3", "string kind = 3", "Request.kind is the enum Kind, team.v1.Request.kind is string"),
        ("int32 count", "int32 number", "Answer.count is not in team.v1.Answer"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    (runnable,) = load_file(written(tmp_path, (old, new)))
    with pytest.raises(DefinitionError) as caught:
        typed_method(runnable)

    assert told in caught.value.what
    assert caught.value.where.startswith(str(tmp_path / "workflow.py"))


@pytest.mark.parametrize(
    ("grpc", "told"),
    [
        ("team.v1.Team.Answer", "Its methods are team.v1.Team.Ask, team.v1.Team.Flow"),
        ("team.v1.Team.Flow", "team.v1.Team.Flow streams"),
        ("Ask", "names no method of a .proto"),
    ],
)
def test_a_method_that_is_none_is_told(tmp_path: Path, grpc: str, told: str) -> None:
    (runnable,) = load_file(written(tmp_path, grpc=grpc))
    with pytest.raises(DefinitionError) as caught:
        typed_method(runnable)

    assert told in str(caught.value)


def test_a_proto_that_is_not_there_or_is_none_is_told(tmp_path: Path) -> None:
    (runnable,) = load_file(written(tmp_path, ("message Answer", "mesage Answer")))
    with pytest.raises(DefinitionError, match=r"protoc refuses it: (.|\n)*team.proto:7"):
        typed_method(runnable)
    (tmp_path / "protos" / "team.proto").unlink()
    with pytest.raises(DefinitionError, match=r"there is no such .proto"):
        typed_method(runnable)


def test_two_classes_of_one_name_and_a_name_that_is_none_in_a_proto(tmp_path: Path) -> None:
    another = "@dataclasses.dataclass\nclass Another:\n    x: int\n\nAnother.__name__ = 'Inner'\n\n"
    twice = FLOW.replace("@dataclasses.dataclass\nclass Request:", f"{another}@dataclasses.dataclass\nclass Request:")
    twice = twice.replace("    extra: int = 3", "    other: Optional[Another] = None")
    (tmp_path / "one.py").write_text(twice.replace(', grpc="protos/team.proto:team.v1.Team.Ask"', ""))
    (runnable,) = load_file(str(tmp_path / "one.py"))
    with pytest.raises(DefinitionError, match="two classes of bound are called Inner"):
        own_text(runnable)

    named = FLOW.replace("extra: int", "größe: int").replace(', grpc="protos/team.proto:team.v1.Team.Ask"', "")
    (tmp_path / "two.py").write_text(named)
    (runnable,) = load_file(str(tmp_path / "two.py"))
    with pytest.raises(DefinitionError, match=r"Request.größe cannot be the name of a field"):
        own_text(runnable)
