"""A file from the web, within bounds: over the HTTP client of the nodes, which refuses a cloud's metadata services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowhub_assets.errors import InputError
from flowhub_assets.nodes.event_loops import run_in_loop
from flowhub_assets.nodes.http.body import ACCEPT_ENCODING, body_bytes
from flowhub_assets.nodes.http.call import HttpFailed, Told, answer, refused, within
from flowhub_assets.nodes.http.client import http_client
from flowhub_assets.nodes.http.target import follow, target
from flowhub_assets.nodes.sdk import NodeError

#: Seconds from connecting to the last byte.
_TIMEOUT = 300.0
_MOST_REDIRECTS = 5
_FAILED = 400


def download(url: str, env: Mapping[str, Any], most: int) -> bytes:
    """What an http(s) URL answers to GET, ``most`` bytes at most. Raises InputError, which names no credential."""
    try:
        return run_in_loop(_get(url, env, most))
    except NodeError as error:
        remedy = "Ask for a smaller file." if "more than" in error.what else error.remedy
        raise InputError(error.what, effect="Nothing was loaded.", remedy=remedy) from None


def url_without_secrets(url: str) -> str:
    """``url`` without user name, password, query and fragment, in which credentials may stand."""
    head = url.partition("?")[0].partition("#")[0] if "://" in url else url
    scheme, mark, rest = head.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}" if mark else head


async def _get(url: str, env: Mapping[str, Any], most: int) -> bytes:
    async with http_client(env) as client:
        headers = {"Accept": "text/csv, */*", "Accept-Encoding": ACCEPT_ENCODING, "User-Agent": "flowhub-assets"}
        request = client.build_request("GET", target(url, None), headers=headers)
        async with within(_TIMEOUT, Told.of("GET", request.url)):
            for _ in range(_MOST_REDIRECTS + 1):
                told = Told.of("GET", request.url)
                async with answer(client, request, told) as response:
                    following = response.next_request
                    if following is None:
                        if response.status_code >= _FAILED:
                            raise await refused(response, told, "Check the URL.")
                        return await body_bytes(response, most)
                request = follow(request.url, following, told.call)
    raise HttpFailed(f"{Told.of('GET', request.url).call} redirects more than {_MOST_REDIRECTS} times", retry=False)
