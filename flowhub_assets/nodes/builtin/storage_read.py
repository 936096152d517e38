"""The kind storage-read."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from flowhub_assets.nodes.daemon_call import in_daemon_thread
from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeContext, NodeError, NodeInput, NodeOutput
from flowhub_assets.nodes.storage_forms import Form, decoded, form_of_key
from flowhub_assets.runtime.storage import Storage


class StorageRead(Node):
    """Reads a file of the pipeline's storage: a folder (WORKSPACE), or a bucket of S3 or MinIO (BUCKET).

    `as` says what becomes of it: `json` any value, `text` one text, `lines` a list of texts, `csv` a list of objects
    by the names in the first line (all values text), `bytes-base64` its bytes in base64. `auto`, the default,
    goes by the name's ending: `.json`, `.csv`, and text for all others. Text is UTF-8.

    It is for what fits into a value between nodes. Larger files stay in the storage, and their URL travels.

    **Errors**: a file that is not there (with the nearest name), one beyond `maxBytes`, one that is not what `as` says,
    a URL outside of the storage.
    """

    name = "storage-read"
    category = "storage"
    primary = "value"
    example = """\
- id: read-cities
  type: storage-read
  config: {as: csv}
  inputs: {key: input/cities.csv}
"""

    class Config(NodeConfig):
        """How the file is read."""

        form: Form = Field("auto", alias="as", description="What the file holds; auto goes by the ending of its name.")
        max_bytes: int = Field(10_000_000, ge=1, le=1_000_000_000, description="A longer file is refused.")

    class Input(NodeInput):
        """Which file."""

        key: str | None = Field(None, min_length=1, description="The file's key: its path in the storage.")
        url: str | None = Field(None, min_length=1, description="In place of key: the URL that another node gave.")

        @model_validator(mode="after")
        def _one_of_both(self) -> StorageRead.Input:
            if (self.key is None) == (self.url is None):
                raise ValueError("must have either key or url")
            return self

    class Output(NodeOutput):
        """What it holds."""

        value: Any = Field(description="What the file holds.")
        bytes: int = Field(description="The file's size in bytes.")

    config: Config

    async def execute(self, input: Input, context: NodeContext) -> Output:
        """Reads the file."""
        place = input.key or input.url or ""
        data = await in_daemon_thread(self._read, context.storage(), place)
        return self.Output(value=decoded(data, form_of_key(self.config.form, place), place), bytes=len(data))

    def _read(self, storage: Storage, place: str) -> bytes:
        most = self.config.max_bytes
        with storage.open(place, "rb") as file:
            data: bytes = file.read(most + 1)
        if len(data) > most:
            raise NodeError(
                f"{place!r} has more than {most:,} bytes",
                remedy="Raise maxBytes, or give its URL to a node that reads it in parts.",
                retry=False,
            )
        return data
