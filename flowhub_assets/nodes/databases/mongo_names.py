"""Names of databases and collections that MongoDB takes."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

_LONGEST_DATABASE = 63
_LONGEST_COLLECTION = 200


def _require_database(name: str) -> str:
    if not name or len(name.encode()) > _LONGEST_DATABASE or any(letter in name for letter in '/\\. "$*<>:|?\0'):
        raise ValueError(
            f"must be the name of a database: 1 to {_LONGEST_DATABASE} bytes of letters, digits, '_' and '-'"
        )
    return name


def _require_collection(name: str) -> str:
    if not name or len(name.encode()) > _LONGEST_COLLECTION or "$" in name or "\0" in name:
        raise ValueError(f"must be the name of a collection: 1 to {_LONGEST_COLLECTION} bytes without '$'")
    if name.startswith(("system.", ".")) or name.endswith(".") or ".." in name:
        raise ValueError("must be the name of a collection: it neither begins with 'system.' nor has an empty part")
    return name


DatabaseName = Annotated[str, AfterValidator(_require_database)]
CollectionName = Annotated[str, AfterValidator(_require_collection)]
