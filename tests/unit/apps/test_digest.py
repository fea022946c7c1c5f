"""A release is told from a restart by what the application's files say."""

from __future__ import annotations

from pathlib import Path

from app_server.apps.digest import digest_of


def test_same_files_in_another_folder_have_the_same_digest(tmp_path: Path) -> None:
    found = set()
    for name in ("first", "second"):
        folder = tmp_path / name
        (folder / "inner").mkdir(parents=True)
        (folder / "main.py").write_text("1")
        (folder / "inner" / "helper.py").write_text("2")
        found.add(digest_of([folder / "main.py", folder / "inner" / "helper.py"], folder))
    assert len(found) == 1


def test_every_change_of_a_name_or_a_content_shows(tmp_path: Path) -> None:
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    digests = []
    for content in ("1", "2"):
        for path in (one, other):
            path.write_text(content)
            digests.append(digest_of([path], tmp_path))
    digests += [digest_of([], tmp_path), digest_of([one, other], tmp_path), digest_of([other, one], tmp_path)]
    assert len(set(digests)) == len(digests)


def test_of_large_files_only_the_size_is_read_and_missing_ones_are_left_out(tmp_path: Path) -> None:
    data = tmp_path / "data.bin"
    data.write_bytes(b"a" * 2_000_000)
    before = digest_of([data], tmp_path)
    data.write_bytes(b"b" * 2_000_000)
    assert digest_of([data], tmp_path) == before
    data.write_bytes(b"b" * 2_000_001)
    assert digest_of([data], tmp_path) != before
    assert digest_of([tmp_path / "missing"], None) == digest_of([], None)
