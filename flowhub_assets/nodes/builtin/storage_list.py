"""The kind storage-list."""

from __future__ import annotations

from pydantic import Field

from flowhub_assets.nodes.daemon_call import in_daemon_thread
from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeContext, NodeInput, NodeOutput


class StorageList(Node):
    """Lists the files of the pipeline's storage: a folder (WORKSPACE), or a bucket of S3 or MinIO (BUCKET).

    `keys` are the paths of the files whose path begins with `prefix`, sorted; `reports/` gives all files below
    that folder. Those beyond `limit` are left out, and `truncated` says so.

    **Errors**: a prefix that leads out of the storage, a storage that cannot be read.
    """

    name = "storage-list"
    category = "storage"
    primary = "keys"
    example = """\
- id: find-chapters
  type: storage-list
  config: {limit: 500}
  inputs: {prefix: book/chapters/}
"""

    class Config(NodeConfig):
        """How much to give."""

        limit: int = Field(1000, ge=1, le=100_000, description="How many keys it gives at most.")

    class Input(NodeInput):
        """Which files."""

        prefix: str = Field("", description="How the keys begin; empty for all files.")

    class Output(NodeOutput):
        """What is there."""

        keys: list[str] = Field(description="The keys, sorted.")
        count: int = Field(description="How many keys are given.")
        truncated: bool = Field(False, description="Whether there are more files than limit.")

    config: Config

    async def execute(self, input: Input, context: NodeContext) -> Output:
        """Lists the files."""
        found = await in_daemon_thread(context.storage().list, input.prefix)
        keys = found[: self.config.limit]
        return self.Output(keys=keys, count=len(keys), truncated=len(found) > len(keys))
