"""The env profile and its storage as Dagster resources: the UI shows them, run config overrides them.

Precedence, the later one winning: built-in default, [tool.flowhub.env] of pyproject.toml, the flow's own env,
``profile`` in run config, ``storage`` in run config. No credential needs to stand in run config: it takes
``{"env": "NAME"}``, which names an environment variable, and shows only that.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from dagster import ConfigurableResource
from pydantic import Field

from flowhub_assets.errors import ProfileError
from flowhub_assets.ir.pipeline import DEFAULT_PROFILE, Pipeline, Source
from flowhub_assets.resources.boto_client import s3_resource
from flowhub_assets.resources.settings import read_settings
from flowhub_assets.runtime.profiles import choose_profile, laid_over
from flowhub_assets.runtime.storage import Storage, get_storage

if TYPE_CHECKING:
    from dagster_aws.s3 import S3Resource

#: Stands for the code location where a plain asset asks for a profile: it has no flow.
_NO_FLOW = Pipeline(name="", tasks=(), source=Source("pyproject.toml", 1))


class ProfileResource(ConfigurableResource):  # type: ignore[type-arg]
    """Which env profile a run takes, and values that are laid over it for this run.

    In the launchpad:

        resources:
          profile:
            config:
              name: airflow
              values: {DEBUG: true}
    """

    name: str = Field(default=DEFAULT_PROFILE, description="A key of @flow(env=...) or of [tool.flowhub.env].")
    # What may hold a credential is left out of repr(): error messages and logs print resources.
    values: dict[str, Any] = Field(default={}, repr=False, description="Values for this run, laid over the profile's.")

    def of(self, pipeline: Pipeline = _NO_FLOW) -> dict[str, Any]:
        """The profile's values for ``pipeline``, or, without one, for plain assets of the code location.

        Raises ProfileError if neither the flow nor pyproject.toml knows the profile.
        """
        shared = read_settings().profiles
        if pipeline is _NO_FLOW and self.name not in (DEFAULT_PROFILE, *shared):
            raise ProfileError(
                f"there is no env profile {self.name!r} for plain assets",
                effect="They have no flow whose env could hold it.",
                remedy=f"Write [tool.flowhub.env.{self.name}] and its values into pyproject.toml.",
            )
        own = pipeline.profiles
        if self.name in shared:
            own = {**own, self.name: {**shared[self.name], **own.get(self.name, {})}}
        return choose_profile(dataclasses.replace(pipeline, profiles=own), self.name, self.values)


class StorageResource(ConfigurableResource):  # type: ignore[type-arg]
    """Where a run keeps its files and values; a field that is set beats the profile's value of that name.

    ``workspace`` is a folder; the other fields are those of an S3 or MinIO bucket. A plain asset calls ``open``:

        @asset
        def report(profile: ProfileResource, storage: StorageResource) -> None:
            storage.open(profile).upload("report.pdf")
    """

    workspace: str | None = Field(default=None, description="A folder (WORKSPACE).")
    bucket: str | None = Field(default=None, description="An S3 or MinIO bucket (BUCKET).")
    region_name: str | None = Field(default=None, description="Its region (REGION_NAME).")
    endpoint: str | None = Field(default=None, description="The server, where it is not AWS (ENDPOINT).")
    access_key: str | None = Field(
        default=None, repr=False, description="Write {env: NAME}, not the key itself (ACCESS_KEY)."
    )
    secret_key: str | None = Field(
        default=None, repr=False, description="Write {env: NAME}, not the key itself (SECRET_KEY)."
    )

    def over(self, profile: dict[str, Any]) -> dict[str, Any]:
        """The values of ``profile`` with the fields that are set laid over them."""
        fields = type(self).model_fields
        given = {name.upper(): value for name in fields if (value := getattr(self, name)) is not None}
        return laid_over(profile, given)

    def open(self, profile: ProfileResource | None = None) -> Storage:
        """The storage of the code location's profile. Raises ProfileError for one that cannot be opened."""
        return get_storage(self.over(_profile_values(profile)))

    def s3(self, profile: ProfileResource | None = None) -> S3Resource:
        """dagster-aws' S3Resource for the same profile, for assets that want a boto3 client.

        Raises ProfileError if the profile names no BUCKET.
        """
        return s3_resource(self.over(_profile_values(profile)))


def _profile_values(profile: ProfileResource | None) -> dict[str, Any]:
    return (profile or ProfileResource(name=read_settings().profile)).of()
