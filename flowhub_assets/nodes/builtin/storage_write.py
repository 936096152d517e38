"""The kind storage-write."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from flowhub_assets.nodes.daemon_call import in_daemon_thread
from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeContext, NodeInput, NodeOutput
from flowhub_assets.nodes.storage_forms import Form, encoded


class StorageWrite(Node):
    """Writes a value into a file of the pipeline's storage: a folder (WORKSPACE), or a bucket of S3 or MinIO (BUCKET).

    The file is there whole or not at all, in place of one that had its name; a retry writes the same file again.

    `as` says how: `json` any value, `text` one text, `lines` a list of texts, `csv` a list of objects (their keys
    are the first line), `bytes-base64` the bytes that a text in base64 stands for. `auto`, the default, goes by the
    ending of `key`, `.json` or `.csv`, and writes for all others text as it is and everything else as JSON.

    **Errors**: a value that is not what `as` takes, a key outside of the storage, a storage that cannot be written.
    """

    name = "storage-write"
    category = "storage"
    primary = "url"
    example = """\
- id: save-report
  type: storage-write
  config: {as: json}
  inputs:
    key: reports/today.json
    value: {visitors: 120}
"""

    class Config(NodeConfig):
        """How the value is written."""

        form: Form = Field("auto", alias="as", description="How the value is written; auto goes by the key's ending.")

    class Input(NodeInput):
        """What is written where."""

        key: str = Field(min_length=1, description="The file's key: its path in the storage, as reports/day.csv.")
        value: Any = Field(description="What is written.")

    class Output(NodeOutput):
        """Where it is."""

        url: str = Field(description="The file's URL: file:///... or s3://bucket/key.")
        key: str = Field(description="The file's key.")
        bytes: int = Field(description="The file's size in bytes.")

    config: Config

    async def execute(self, input: Input, context: NodeContext) -> Output:
        """Writes the file."""
        data = encoded(input.value, self.config.form, input.key)
        url = await in_daemon_thread(context.storage().write, input.key, data)
        return self.Output(url=url, key=input.key, bytes=len(data))
