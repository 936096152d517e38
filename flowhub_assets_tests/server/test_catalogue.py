"""What can be started: pipelines of files and stored ones, also while the database does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from flowhub_assets.errors import NotFound
from flowhub_assets.server.catalogue import Catalogue
from flowhub_assets.store import workflows
from flowhub_assets.store.database import Database, default_url, open_database
from flowhub_assets_tests.server.backends import GREET
from flowhub_assets_tests.workflows import location_of

SHOP = GREET.replace("greet", "shop")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(default_url(str(tmp_path)))
    yield database
    database.close()


@pytest.fixture
def catalogue(tmp_path: Path, database: Database) -> Catalogue:
    folder = tmp_path / "pipelines"
    folder.mkdir()
    (folder / "greet.yaml").write_text(GREET)
    return Catalogue(location_of(folder), database)


def keep(database: Database, name: str, text: str) -> None:
    with database.begin() as connection:
        workflows.write(connection, name, text, "ann", 1.0)


def names(catalogue: Catalogue) -> list[str]:
    catalogue.look_again()
    return [entry.pipeline.name for entry in catalogue.all()]


def test_what_is_stored_changed_and_deleted_is_seen(catalogue: Catalogue, database: Database) -> None:
    assert names(catalogue) == ["greet"]
    keep(database, "shop", SHOP)
    assert names(catalogue) == ["greet", "shop"]
    first = catalogue.get("shop")
    assert (first.is_stored, catalogue.get("greet").is_stored) == (True, False)
    keep(database, "market", SHOP.replace("shop", "market"))
    assert names(catalogue) == ["greet", "market", "shop"]
    assert catalogue.get("shop") is first, "only what has changed is read again"
    keep(database, "shop", SHOP.replace("Seoul", "Busan"))
    catalogue.look_again()
    assert catalogue.get("shop").pipeline.params["city"] == "Busan"
    with database.begin() as connection:
        workflows.delete(connection, "shop", "ann", 1.0)
    assert names(catalogue) == ["greet", "market"]
    with pytest.raises(NotFound):
        catalogue.get("shop")


def test_a_file_of_the_same_name_goes_first_and_a_broken_one_is_told(catalogue: Catalogue, database: Database) -> None:
    keep(database, "greet", GREET)
    keep(database, "broken", "{")
    assert names(catalogue) == ["greet"]
    assert not catalogue.get("greet").is_stored
    (error,) = catalogue.invalid()
    assert str(error).startswith("<stored workflow>/broken.yaml:")


def test_while_the_database_is_away_those_of_the_last_look_stay(catalogue: Catalogue, database: Database) -> None:
    keep(database, "shop", SHOP)
    assert names(catalogue) == ["greet", "shop"]
    with database.begin() as connection:
        connection.execute(text("ALTER TABLE flowhub_workflows RENAME TO elsewhere"))
    assert names(catalogue) == ["greet", "shop"]
    with database.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO flowhub_workflows"))
    keep(database, "market", SHOP.replace("shop", "market"))
    assert names(catalogue) == ["greet", "market", "shop"]
