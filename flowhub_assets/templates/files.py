"""How a template finds its input in its args."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowhub_assets.errors import InputError
from flowhub_assets.ir.spelling import did_you_mean


def place(args: Mapping[str, Any]) -> str:
    """The task that runs, for messages: 'project/task' as far as the profile knows."""
    env = env_of(args)
    return "/".join(str(env[key]) for key in ("project", "task") if env.get(key))


def env_of(args: Mapping[str, Any]) -> Mapping[str, Any]:
    """``args['env']``. Raises InputError if a template is called without a profile."""
    env = args.get("env")
    if not isinstance(env, Mapping):
        raise InputError(
            f"args['env'] is {'missing' if env is None else f'a {type(env).__name__}'}",
            effect="A template finds the storage by the profile in args['env'].",
            remedy="Hand the task's own args on: template.read_pdf(args). Outside a run, put a profile in: "
            "{**args, 'env': {'WORKSPACE': './tmp'}}.",
        )
    return env


def input_url(args: Mapping[str, Any], keys: Sequence[str], template: str) -> str:
    """The first of ``keys`` that ``args`` has: a URL or key in the storage. Raises InputError."""
    for key in keys:
        url = args.get(key)
        if url is None:
            continue
        if not isinstance(url, str) or not url:
            raise InputError(
                f"args[{key!r}] is {url!r}, not the URL of a file",
                where=place(args),
                effect=f"template.{template} has nothing to read.",
                remedy="Give the URL that storage.upload returned, or a key in the profile's storage.",
            )
        return url
    wanted = " or ".join(repr(key) for key in keys)
    names = sorted(str(key) for key in args if key != "env")
    near = next(filter(None, (did_you_mean(key, names) for key in keys)), "")
    raise InputError(
        f"template.{template} takes {wanted} from args, and neither is there"
        if len(keys) > 1
        else f"template.{template} takes {wanted} from args, and it is not there",
        where=place(args),
        effect=f"Its args hold {', '.join(names) or 'nothing'}.",
        remedy=f"{near} Name it {keys[0]!r}." if near else f"Put the file's URL under {keys[0]!r}.",
    )
