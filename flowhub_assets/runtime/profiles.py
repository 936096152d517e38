"""Which profile a run takes, and what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowhub_assets.errors import ProfileError
from flowhub_assets.ir.pipeline import DEFAULT_PROFILE, Pipeline
from flowhub_assets.ir.spelling import did_you_mean

#: The folder, seen from the current one, that a profile without BUCKET and WORKSPACE keeps its files in.
BUILT_IN_WORKSPACE = "./tmp"


def choose_profile(pipeline: Pipeline, name: str, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The values of profile ``name``: the built-in default, the profile over it, ``overrides`` over both.

    The built-in WORKSPACE stands in only where neither WORKSPACE nor BUCKET is given. Raises ProfileError if the
    pipeline has no such profile; 'default' needs none.
    """
    if name not in pipeline.profiles and (name != DEFAULT_PROFILE or pipeline.profiles):
        raise _unknown(pipeline, name)
    profile = laid_over(pipeline.profiles.get(name, {}), overrides or {})
    return with_a_place(profile, name, pipeline.name, pipeline.source)


def with_a_place(profile: Mapping[str, Any], name: str, flow: str, where: object) -> dict[str, Any]:
    """The values of profile ``name``, with the built-in WORKSPACE where they name no place of their own.

    ``where`` is that of ``flow``. Raises ProfileError for a profile that nearly names one: its files would go to the
    built-in folder, unseen.
    """
    placed = dict(profile)
    if "BUCKET" not in placed and "WORKSPACE" not in placed:
        _refuse_misspelt_place(placed, name, flow, where)
        placed["WORKSPACE"] = BUILT_IN_WORKSPACE
    return placed


def _refuse_misspelt_place(profile: Mapping[str, Any], name: str, flow: str, where: object) -> None:
    for key in profile:
        near = did_you_mean(key, ("BUCKET", "WORKSPACE"), likeness=0.8)
        if near:
            raise ProfileError(
                f"profile {name!r} of flow {flow!r} has {key!r}, but neither BUCKET nor WORKSPACE",
                where=where,
                effect=f"Its files would go to {BUILT_IN_WORKSPACE}.",
                remedy=near,
            )


def laid_over(profile: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """``profile`` with the values ``given`` over it: a BUCKET displaces a WORKSPACE, and the other way round."""
    kept = dict(profile)
    if ("BUCKET" in given) != ("WORKSPACE" in given):
        kept.pop("WORKSPACE" if "BUCKET" in given else "BUCKET", None)
    return {**kept, **given}


def _unknown(pipeline: Pipeline, name: str) -> ProfileError:
    known = sorted(pipeline.profiles)
    near = did_you_mean(name, known)
    in_python = pipeline.source.file.endswith(".py")
    place = f"to @flow(env={{{name!r}: {{...}}}})" if in_python else f"under profiles: {{{name}: {{...}}}}"
    if near:
        remedy = f"{near} Profiles: {', '.join(known)}."
    elif known:
        remedy = f"Name one of: {', '.join(known)}; or add it {place}."
    else:
        remedy = f"Add it {place}, or leave the profile out."
    return ProfileError(
        f"{'flow' if in_python else 'pipeline'} {pipeline.name!r} has no env profile {name!r}",
        where=pipeline.source,
        effect="Nothing was run.",
        remedy=remedy,
    )
