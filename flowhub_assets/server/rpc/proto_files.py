"""A .proto that lies on disk, read by protoc: the files that it imports, each behind those that it needs itself."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from flowhub_assets.errors import DefinitionError

_SECONDS = 60


def parsed(path: Path, roots: tuple[Path, ...] = ()) -> list[FileDescriptorProto]:
    """The file last, before it all that it imports; found in ``roots``, beside it, or among those of Google's.

    Raises DefinitionError with what protoc says.
    """
    if not path.is_file():
        raise DefinitionError("there is no such .proto", where=path, remedy="check the path, seen from the workflow")
    folders = dict.fromkeys([*(str(root) for root in roots), str(path.parent)])
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "files"
        words = [f"--proto_path={one}" for one in folders]
        words += [f"--descriptor_set_out={out}", "--include_imports", str(path)]
        ended = subprocess.run(
            [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={_well_known()}", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        if ended.returncode:
            said = ended.stderr.strip() or f"exit code {ended.returncode}"
            raise DefinitionError(f"protoc refuses it: {said}", where=path, remedy="mend the .proto")
        return list(FileDescriptorSet.FromString(out.read_bytes()).file)


def _well_known() -> Path:
    import grpc_tools

    return Path(grpc_tools.__file__).parent / "_proto"
