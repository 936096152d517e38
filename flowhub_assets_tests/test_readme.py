"""Every code block of the README is run, in a copy of the checkout, as a newcomer would."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from flowhub_assets_tests.checkout import ROOT, copy_checkout, installed_environment
from flowhub_assets_tests.readme_blocks import Block, BlockFailed, blocks_of, run_blocks


@pytest.mark.timeout(900)
def test_every_block_does_what_the_readme_says(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "checkout")
    venv = installed_environment(checkout / ".venv")
    environment = {
        "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "DAGSTER_HOME": str(checkout / ".dagster"),
        "COLUMNS": "160",
        "MAKEFLAGS": "",
        "MAKELEVEL": "",
    }
    blocks = blocks_of((ROOT / "README.md").read_text("utf-8"))
    assert blocks
    run_blocks(blocks, checkout, environment)


def test_the_korean_readme_has_the_same_blocks() -> None:
    english, korean = (
        [(block.language, block.title, block.code) for block in blocks_of(path.read_text("utf-8"))]
        for path in (ROOT / "README.md", ROOT / "README.ko.md")
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
    ],
)
def test_a_block_that_fails_says_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BlockFailed) as failed:
        run_blocks(blocks_of(text), tmp_path, {}, seconds=1)
    assert message in str(failed.value)


def test_a_block_knows_its_line() -> None:
    assert blocks_of("a\n\n```bash\nls\n```\n") == [Block(3, "bash", "", "", "ls\n")]
