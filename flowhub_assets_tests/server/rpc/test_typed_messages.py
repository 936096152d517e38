"""Objects → messages of the .proto made for them → the wire → objects."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf import duration_pb2, struct_pb2, timestamp_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given

from flowhub_assets.errors import InputError, ParamsRefused
from flowhub_assets.runtime.typed_values import form_of
from flowhub_assets.server.rpc.typed_files import typed_file
from flowhub_assets.server.rpc.typed_messages import fields_from, fill
from flowhub_assets.server.rpc.typed_services import params_of
from flowhub_assets_tests.typed_models import Order, OrderModel, Place, Speed, order_models, orders


def runnable_of(params: Any, result: Any = None) -> Any:
    """As much of a Runnable as a .proto is made of."""
    pipeline = SimpleNamespace(name="the-flow", source="flow.py:1", description="What it does.")
    return SimpleNamespace(pipeline=pipeline, params_type=params, result_type=result, grpc="")


def message_classes(*kinds: Any) -> dict[Any, Any]:
    """The message of each class, by a pool that has the .proto of the first two."""
    pool: Any = DescriptorPool()
    for google in (timestamp_pb2, duration_pb2, struct_pb2):
        pool.AddSerializedFile(google.DESCRIPTOR.serialized_pb)
    file = typed_file(runnable_of(*kinds[:2]))
    pool.AddSerializedFile(file.SerializeToString())
    return {kind: GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.{kind.__name__}")) for kind in kinds}


MESSAGES = message_classes(Order, OrderModel, Place)


@given(orders | order_models)
def test_an_object_survives_the_way_over_the_wire(order: Any) -> None:
    kind = type(order)
    message = MESSAGES[kind]()
    fill(message, order, kind)
    arrived = MESSAGES[kind].FromString(message.SerializeToString())

    assert form_of(kind).from_fields(fields_from(arrived, kind)) == order
    # And on, as the JSON that the run is given.
    params = params_of(SimpleNamespace(runnable=runnable_of(kind), request=MESSAGES[kind]), arrived)  # type: ignore[arg-type]
    assert form_of(kind).from_json(params) == order


def test_what_is_not_set_has_the_default_or_is_told() -> None:
    method: Any = SimpleNamespace(runnable=runnable_of(OrderModel), request=MESSAGES[OrderModel])
    where = MESSAGES[Place](name="here")
    assert params_of(method, MESSAGES[OrderModel](urls=["a"], where=where))["share"] == 0.5

    with pytest.raises(ParamsRefused) as caught:
        params_of(method, MESSAGES[OrderModel](share=2.0))
    assert [field for field, _, _ in caught.value.fields] == ["urls", "where", "share"]


def test_an_enum_value_of_a_later_client_is_told_by_its_number() -> None:
    method: Any = SimpleNamespace(runnable=runnable_of(OrderModel), request=MESSAGES[OrderModel])
    message = MESSAGES[OrderModel](urls=["a"], where=MESSAGES[Place](name="here"), speed=17)

    with pytest.raises(ParamsRefused, match=r"params.speed"):
        params_of(method, message)
    message.speed = 0  # proto3's zero says that none was named
    assert params_of(method, message)["speed"] == Speed.FAST.value


def test_a_number_that_a_message_cannot_hold_is_told() -> None:
    with pytest.raises(InputError, match=r"Place.depth does not fit"):
        fill(MESSAGES[Place](), Place("x", 2**63), Place)
