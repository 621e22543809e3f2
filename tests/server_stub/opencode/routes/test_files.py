"""Paths found, as captured from opencode 1.18.33; their order is the stub's own."""

import os
from pathlib import Path

import pytest

from server_stub.http.file_listing import MAX_READ
from tests.server_stub.conftest import Stub

FILES = ("README.md", "src/store.py", "src/deep/er/Store_test.py", "docs/store guide.md")
HIDDEN = ("node_modules/x/store.js", ".git/store", ".store")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    for name in (*FILES, *HIDDEN):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("")
    return project


async def found(stub: Stub, folder: Path, **query: str) -> list[str]:
    response = await stub.http.get("/find/file", params={"directory": str(folder), **query})
    assert response.status_code == 200
    paths: list[str] = response.json()
    return paths


async def test_paths_with_the_letters_in_order_are_found(stub: Stub, folder: Path) -> None:
    assert await found(stub, folder, query="STORE") == [
        *("src/store.py", "docs/store guide.md", "src/deep/er/Store_test.py")
    ]
    assert await found(stub, folder, query="srsto") == ["src/store.py", "src/deep/er/Store_test.py"]
    assert await found(stub, folder, query="er/") == ["src/deep/er/", "src/deep/er/Store_test.py"]
    assert await found(stub, folder, query="zzz") == []


async def test_hidden_and_installed_files_are_not_found(stub: Stub, folder: Path) -> None:
    assert set(await found(stub, folder, query="")) == {*FILES, "src/", "src/deep/", "src/deep/er/", "docs/"}


async def test_type_and_dirs_filter_paths(stub: Stub, folder: Path) -> None:
    assert await found(stub, folder, query="docs", dirs="false") == ["docs/store guide.md"]
    assert await found(stub, folder, query="docs", type="file") == ["docs/store guide.md"]
    assert await found(stub, folder, query="docs", type="directory") == ["docs/"]
    assert await found(stub, folder, query="store", limit="1") == ["src/store.py"]


async def test_the_default_limit_is_ten(stub: Stub, tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"file{number}").write_text("")
    assert len(await found(stub, tmp_path, query="file")) == 10
    assert len(await found(stub, tmp_path, query="file", limit="20")) == 20


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, 'Missing key\n  at ["query"]'),
        ({"query": "a", "limit": "0"}, 'Expected a value greater than or equal to 1, got 0\n  at ["limit"]'),
        ({"query": "a", "limit": "201"}, 'Expected a value less than or equal to 200, got 201\n  at ["limit"]'),
        ({"query": "a", "type": "zzz"}, 'Expected "file" | "directory", got "zzz"\n  at ["type"]'),
    ],
)
async def test_invalid_queries_are_refused(stub: Stub, query: dict[str, str], message: str) -> None:
    refused = await stub.http.get("/find/file", params=query)
    assert refused.status_code == 400
    assert refused.json()["data"] == {"message": message, "kind": "Query"}


async def test_the_search_stops_at_its_limit(stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(top: str) -> object:
        while True:
            yield top, [], ["file"]

    monkeypatch.setattr(os, "walk", endless)
    assert len(await found(stub, tmp_path, query="file", limit="200")) <= MAX_READ


async def test_a_missing_directory_has_no_files(stub: Stub, tmp_path: Path) -> None:
    assert await found(stub, tmp_path / "none", query="") == []
