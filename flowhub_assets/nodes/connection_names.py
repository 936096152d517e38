"""The name under which a profile holds a connection: what a pipeline file says instead of a URL with a password."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from flowhub_assets.nodes.connections import connection_key

_NAME = re.compile(r"[^\W\d][\w-]*")


def _require_name(value: str) -> str:
    if "://" in value or "@" in value:
        # The value may hold a password, so it is not told.
        raise ValueError(
            "is a URL, and URLs stay out of pipeline files: write a name, and give the profile its URL, "
            f"for connection 'shop' as {connection_key('shop')}: {{env: {connection_key('shop')}}}"
        )
    if not _NAME.fullmatch(value):
        raise ValueError("must be a name of letters, digits, '_' and '-', whose URL the profile has")
    return value


#: ``shop`` stands for the profile's SHOP_URL; a URL is refused.
ConnectionName = Annotated[str, AfterValidator(_require_name)]
