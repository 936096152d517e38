"""Writes the Python of our own .proto files beside them: ``make proto``. A test holds it equal to what is committed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

_HERE = Path(__file__).parent
#: The files, from here: that is also how a client that compiles them names them.
PROTOS = ("flowhub/v1/flowhub.proto", "flowhub/v1/error_details.proto")
_WITHOUT_SERVICE = ("error_details_pb2_grpc.py",)


def generated(protos: Sequence[str] = PROTOS, root: Path = _HERE) -> dict[str, str]:
    """Path below ``root`` → text of each file that protoc makes. Raises RuntimeError with what protoc says."""
    from grpc_tools import protoc

    well_known = str(Path(protoc.__file__).parent / "_proto")
    with tempfile.TemporaryDirectory() as folder:
        outputs = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
        if protoc.main(["protoc", f"-I{root}", f"-I{well_known}", *outputs, *protos]) != 0:
            raise RuntimeError(f"protoc refuses {', '.join(protos)}: see above")
        made = [path for path in sorted(Path(folder).rglob("*.py*")) if path.name not in _WITHOUT_SERVICE]
        return {str(path.relative_to(folder)): _placed(path.read_text("utf-8")) for path in made}


def _placed(text: str) -> str:
    """protoc imports from the folder of its files, as if that were on sys.path; ours stand in a package."""
    return text.replace("from flowhub.v1 import", f"from {__package__}.flowhub.v1 import")


if __name__ == "__main__":
    for name, text in generated().items():
        (_HERE / name).write_text(text, encoding="utf-8")
