"""Every code block of the README and of the format's page is run, in a copy of the checkout, as a newcomer would."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from flowhub_assets.from_yaml.affinity_schema import affinity_schema
from flowhub_assets.from_yaml.format_schema import definitions, node_parts, node_properties, pipeline_schema
from flowhub_assets.nodes.expressions.functions import FILTERS, FUNCTIONS
from flowhub_assets_tests.checkout import (
    ROOT,
    copy_checkout,
    installed_environment,
    serving_checkout,
)
from flowhub_assets_tests.http_server import Answer, http_server
from flowhub_assets_tests.llm_server import llm_server
from flowhub_assets_tests.mongo_double import mongo_double
from flowhub_assets_tests.readme_blocks import Block, BlockFailed, blocks_of, run_blocks

STARTING = ROOT / "flowhub_assets" / "server" / "STARTING.md"
FORMAT = ROOT / "flowhub_assets" / "from_yaml" / "FORMAT.md"
MODELS = ROOT / "flowhub_assets" / "ml" / "MODELS.md"


@pytest.mark.timeout(1_500)
def test_every_block_does_what_the_readme_says(tmp_path: Path) -> None:
    with (
        serving_checkout(tmp_path / "checkout") as checkout,
        http_server() as topics,
        llm_server() as model,
        mongo_double() as mongo,
    ):
        blocks = blocks_of((ROOT / "README.md").read_text("utf-8"))
        topics.on("/topics", Answer.json({"topic": "반도체"}))
        servers = {
            "http://localhost:8000/v1": model.url,
            "http://localhost:8001": topics.url.rstrip("/"),
            "mongodb://localhost:27017": mongo.url,
        }
        run_blocks(blocks, checkout, environment_of(checkout), servers=servers)
        (article,) = mongo.collection("flume", "articles").find()
    assert article["title"] == "반도체"
    assert "뉴스 기사" in article["content"]


def environment_of(checkout: Path) -> dict[str, str]:
    """The variables of somebody who works in ``checkout``; the environment .venv is made there."""
    venv = installed_environment(checkout / ".venv")
    return {
        "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "DAGSTER_HOME": str(checkout / ".dagster"),
        "COLUMNS": "160",
        "MAKEFLAGS": "",
        "MAKELEVEL": "",
    }


def test_the_example_is_flumes_own_word_for_word() -> None:
    blocks = {block.title: block.code for block in blocks_of((ROOT / "README.md").read_text("utf-8"))}
    own = ROOT / "flowhub_assets_tests" / "from_yaml" / "article-generator.yaml"
    assert blocks["workflows/article-generator.yaml"] == own.read_text("utf-8")


def test_every_block_does_what_the_page_of_the_format_says(tmp_path: Path) -> None:
    blocks = blocks_of(FORMAT.read_text("utf-8"))
    assert blocks
    run_blocks(blocks, tmp_path, environment_of(tmp_path))


def test_the_page_of_the_format_names_every_key() -> None:
    text = FORMAT.read_text("utf-8")
    parts = {
        "pipeline": pipeline_schema(),
        "node": {"properties": node_properties([])},
        **definitions(),
        **node_parts(),
    }
    for kubernetes_own in affinity_schema():
        del parts[kubernetes_own]
    missing = [
        f"{part}: {key}"
        for part, schema in parts.items()
        for key in schema.get("properties", {})
        if not re.search(rf"[`\n ,{{]{re.escape(key)}\b", text)
    ]
    assert not missing


def test_the_page_of_the_format_names_every_function() -> None:
    words = set(re.findall(r"`(\w+)`", FORMAT.read_text("utf-8")))
    assert set(FUNCTIONS) | set(FILTERS) <= words


@pytest.mark.timeout(1_500)
def test_every_block_does_what_the_page_of_starting_runs_says(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "checkout")
    run_blocks(blocks_of(STARTING.read_text("utf-8")), checkout, environment_of(checkout))


@pytest.mark.timeout(1_500)
def test_every_block_does_what_the_page_of_models_says(tmp_path: Path) -> None:
    with serving_checkout(tmp_path / "checkout") as checkout:
        run_blocks(blocks_of(MODELS.read_text("utf-8")), checkout, environment_of(checkout))


@pytest.mark.parametrize("page", [ROOT / "README.md", STARTING, MODELS], ids=["README", "STARTING", "MODELS"])
def test_the_korean_page_has_the_same_blocks(page: Path) -> None:
    english, korean = (
        [(block.language, block.title, block.code) for block in blocks_of(path.read_text("utf-8"))]
        for path in (page, page.with_suffix(".ko.md"))
    )
    assert korean == english


SAMPLE = """
```python title="greet.py"
import sys

def greet(name):
    return f"Hello {name}"

if __name__ == "__main__":
    print(greet(sys.argv[1]))
```

1. In a list:

   ```bash
   python greet.py Sora
   echo "took 3 s"
   ```

<!-- output -->
```text
Hello Sora
took ... s
```

```python
# more.py
if __name__ == "__main__":
    raise SystemExit("loaded, not run as a script")
```

```python
from greet import greet
print(greet("World"))
```

<!-- exit 3 -->
```bash
exit 3
```

<!-- serves -->
```bash
python -m http.server "$PORT" --bind 127.0.0.1
```

<!-- dry run -->
```bash
make all
```

```yaml title="deep/down.yaml"
a: [1, 2]
```
"""


def test_a_sample_readme_runs(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("all:\n\ttouch made\n")
    blocks = blocks_of(SAMPLE)
    assert [block.language for block in blocks] == [*"python bash text python python bash bash bash yaml".split()]
    assert (blocks[0].title, blocks[0].line, blocks[3].title) == ("greet.py", 2, "more.py")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run_blocks(blocks, tmp_path, {"PATH": path, "PYTHONPATH": str(tmp_path)}, seconds=30)
    assert (tmp_path / "deep/down.yaml").read_text() == "a: [1, 2]\n"
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```bash\nfalse | true\n```", "line 1: ended with 1, not 0"),
        ("\n<!-- exit 2 -->\n```bash\ntrue\n```", "line 3: ended with 0, not 2"),
        ("```bash\nsleep 60\n```", "line 1: still running after 1 s"),
        ("```bash\necho a\n```\n<!-- output -->\n```text\nb\n```", "line 5: 'b' is missing"),
        ("```bash\necho b; echo a\n```\n<!-- output -->\n```\na\nb\n```", "line 5: 'b' is missing, or out of order"),
        ("```python\nimport nothing_of_this_name\n```", "No module named 'nothing_of_this_name'"),
        ('```python title="a.py"\nraise ValueError("no")\n```', "ValueError: no"),
        ("```json\n{]\n```", "line 1: "),
        ("```yaml\na: [\n```", "line 1: "),
        ("```toml\na = \n```", "line 1: "),
        ("```cobol\nSTOP RUN.\n```", "nothing here runs the language 'cobol'"),
        ("<!-- serves -->\n```bash\necho gone\n```", "no answer on port"),
        ("<!-- your servers -->\n```bash\necho gone\n```", "line 2: it names none of the servers"),
    ],
)
def test_a_block_that_fails_says_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BlockFailed) as failed:
        run_blocks(blocks_of(text), tmp_path, {}, seconds=1)
    assert message in str(failed.value)


def test_a_block_knows_its_line() -> None:
    assert blocks_of("a\n\n```bash\nls\n```\n") == [Block(3, "bash", "", "", "ls\n")]
