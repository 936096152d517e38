"""The file of ConfigMaps: what Kubernetes takes, and what people read."""

from __future__ import annotations

import base64
import lzma
import random
import re
from typing import Any

import kubernetes_validate
import pytest
import yaml

from flowhub_assets.errors import DefinitionError
from flowhub_assets.pods.archive import pack, unpack
from flowhub_assets.pods.configmap import ConfigMapFile, Contents, config_maps, same_content

BOOT = 'def main():\n    print("started")\n\n\nmain()\n'
TEXTS = {"boot.py": BOOT, "pipeline.json": '{\n  "flow": "한글 \\"x\\""\n}\n'}
ROWS = {"flowhub_assets/__init__.py": b"A = 1\n"}
CODE = {"workflow.py": b"from flowhub import flow\n"}


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def documents(made: ConfigMapFile) -> list[dict[str, Any]]:
    read = list(yaml.safe_load_all(made.text))
    for document in read:
        kubernetes_validate.validate(document, "1.31", strict=True)
    return read


def test_a_small_pipeline_is_one_readable_config_map() -> None:
    made = config_maps("my-flow-code", "My flow: 한글 #1", Contents(TEXTS, ROWS, CODE), "airflow")
    (document,) = documents(made)
    assert made.names == ("my-flow-code",)
    assert document["metadata"] == {
        "name": "my-flow-code",
        "namespace": "airflow",
        "labels": {
            "app.kubernetes.io/managed-by": "flowhub-assets",
            "app.kubernetes.io/component": "pipeline-code",
        },
        "annotations": {"flowhub/pipeline": "My flow: 한글 #1"},
    }
    assert document["data"] == TEXTS
    archives = {name: unpack(base64.b64decode(value)) for name, value in document["binaryData"].items()}
    assert archives == {"rows.tar.xz": ROWS, "code.tar.xz": CODE}
    assert '\n    def main():\n        print("started")\n\n\n    main()\n' in made.text
    assert '\n      "flow": "한글' in made.text


def test_what_is_not_there_is_not_written() -> None:
    (document,) = documents(config_maps("a-code", "a", Contents(TEXTS, {}, {})))
    assert "binaryData" not in document
    assert "namespace" not in document["metadata"]


def test_the_same_contents_give_the_same_text() -> None:
    first, second = (
        config_maps("a-code", "a", Contents(dict(texts), ROWS, dict(code))).text
        for texts, code in (
            (TEXTS.items(), [("a.py", b"1"), ("b.py", b"2")]),
            (reversed(TEXTS.items()), [("b.py", b"2"), ("a.py", b"1")]),
        )
    )
    assert first == second


def test_texts_that_no_block_holds_are_kept() -> None:
    odd = {"boot.py": "x = 1\r\ny = '\x07'\n", "pipeline.json": "  indented\n\n\n"}
    (document,) = documents(config_maps("a-code", "a", Contents(odd, {}, {})))
    assert document["data"] == odd


def test_many_files_are_spread_over_several_config_maps_within_the_limit() -> None:
    code = {f"package/{number:02}.bin": noise(60_000, number) for number in range(8)}
    made = config_maps("big-code", "big", Contents(TEXTS, ROWS, code), "airflow", largest=200_000)
    read = documents(made)
    assert made.names == ("big-code", "big-code-2", "big-code-3")
    assert [document["metadata"]["name"] for document in read] == list(made.names)
    found: dict[str, bytes] = {}
    keys = []
    for document in read:
        values = [base64.b64decode(value) for value in document["binaryData"].values()]
        size = sum(map(len, values)) + sum(len(text.encode()) for text in document.get("data", {}).values())
        assert size <= 200_000
        keys += list(document["binaryData"])
        for key, value in zip(document["binaryData"], values, strict=True):
            found |= unpack(value) if key.startswith("code") else {}
    assert found == code
    assert len(keys) == len(set(keys)), "one projected volume mounts them all"
    assert {key for key in keys if key.startswith("code")} == {"code.tar.xz", "code-2.tar.xz", "code-3.tar.xz"}


def test_a_file_of_more_than_the_limit_is_refused() -> None:
    contents = Contents(TEXTS, ROWS, {"model.bin": noise(1_100_000)}, {"model.bin": "/home/me/model.bin"})
    with pytest.raises(DefinitionError, match=r"^/home/me/model\.bin: model\.bin has 1,100,000 bytes(.|\n)*repo="):
        config_maps("a-code", "a", contents)


def test_texts_of_more_than_the_limit_are_refused() -> None:
    with pytest.raises(DefinitionError, match=r"pipeline\.json has 1,048,577 bytes(.|\n)*1,048,576 bytes at most"):
        config_maps("a-code", "a", Contents({"boot.py": "", "pipeline.json": "x" * 1_048_577}, {}, {}))


def compressed_otherwise(text: str) -> str:
    """The same file as another machine's liblzma may write it."""

    def other(found: re.Match[str]) -> str:
        packed = base64.b64decode(found.group(1))
        return f'"{base64.b64encode(lzma.compress(lzma.decompress(packed), preset=0)).decode()}"'

    return re.sub(r'"(/Td6WFoA[^"]*)"', other, text)


def test_content_is_compared_unpacked() -> None:
    made = config_maps("a-code", "a", Contents(TEXTS, ROWS, CODE)).text
    elsewhere = compressed_otherwise(made)
    assert elsewhere != made
    assert same_content(made, made)
    assert same_content(made, elsewhere)


@pytest.mark.parametrize(
    "changed",
    [
        Contents({**TEXTS, "boot.py": BOOT + "#\n"}, ROWS, CODE),
        Contents(TEXTS, ROWS, {"workflow.py": b"from flowhub import task\n"}),
        Contents(TEXTS, ROWS, {"workflow2.py": b"from flowhub import flow\n"}),
        Contents(TEXTS, {}, CODE),
    ],
)
def test_any_change_is_seen(changed: Contents) -> None:
    made = config_maps("a-code", "a", Contents(TEXTS, ROWS, CODE)).text
    assert not same_content(made, config_maps("a-code", "a", changed).text)


def test_a_file_that_is_no_export_differs_and_breaks_nothing() -> None:
    made = config_maps("a-code", "a", Contents(TEXTS, ROWS, CODE)).text
    for other in ("", "no yaml: [", made.replace("/Td6WFo", "AAAAAAA"), made[: len(made) // 2]):
        assert not same_content(made, other)


def test_names_and_contents_cannot_be_confused() -> None:
    one, other = ({"ab": b"c"}, {"a": b"bc"})
    assert pack(one) != pack(other)
    assert not same_content(
        config_maps("a-code", "a", Contents({}, {}, one)).text, config_maps("a-code", "a", Contents({}, {}, other)).text
    )
