"""The archive of a backup: what goes in comes out, and nothing else is taken for one."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable

import pytest

from app_server.errors import OperatorError
from app_server.store.backup.archive import DESCRIPTION, SEAL, BackupWriter, Member, check, members

KEY = "0123456789abcdef" * 4
EVERYTHING = [
    Member("session", KEY, b"journal", 1700000000.25),
    Member("bookmark", "spring-2026", b"", 1800000000.5),
    Member("file", "file:/etc/x y/ü%.pem", b"\0" * 2000, 3.0, 0o640, "ann", "staff", (10001, 3_000_000)),
    Member("file", "..", b"up"),
]


def written(*found: Member) -> io.BytesIO:
    """A backup."""
    output = io.BytesIO()
    writer = BackupWriter(output, "tools", "2026-11-29")
    for each in found:
        writer.add(each)
    writer.finish()
    output.seek(0)
    return output


def test_what_goes_in_comes_out() -> None:
    file = written(*EVERYTHING)
    about = check(file, "x.backup")
    assert (about.name, about.at, dict(about.amounts)) == (
        "tools", "2026-11-29", {"session": 1, "bookmark": 1, "file": 2},
    )  # fmt: skip
    assert about.files == ("file:/etc/x y/ü%.pem", "..")
    assert list(members(file, "x.backup")) == EVERYTHING


def test_names_in_the_archive_lead_nowhere() -> None:
    with tarfile.open(fileobj=written(*EVERYTHING)) as archive:
        assert archive.getnames() == [
            DESCRIPTION, f"sessions/{KEY}", "bookmarks/spring-2026",
            "files/file%3A%2Fetc%2Fx%20y%2F%C3%BC%25.pem", "files/..", SEAL,
        ]  # fmt: skip


def said_of(data: bytes) -> str:
    """What is said of something that is not a backup."""
    with pytest.raises(OperatorError) as caught:
        check(io.BytesIO(data), "x.backup")
    return str(caught.value)


def test_every_cut_and_every_changed_byte_is_noticed() -> None:
    whole = written(Member("session", KEY, b"journal" * 10, 5.5), Member("file", "a", b"x", 1.0)).getvalue()
    end = len(whole.rstrip(b"\0"))
    for length in range(0, end, 37):
        assert said_of(whole[:length]).startswith("x.backup: is "), length
    wanted = check(io.BytesIO(whole), "x.backup")
    at = [number for number in range(0, end, 13) if whole[number]]
    for number in at:
        changed = whole[:number] + bytes([whole[number] ^ 1]) + whole[number + 1 :]
        try:
            found = check(io.BytesIO(changed), "x.backup")
        except OperatorError:
            continue
        # A byte that says nothing, such as a digit of the date, or of the mode of the description.
        assert (found.amounts, found.files) == (wanted.amounts, wanted.files)
        assert list(members(io.BytesIO(changed), "x")) == list(members(io.BytesIO(whole), "x")), number


@pytest.mark.parametrize("data", [b"", b"x", b"\0" * 20480, b"\x1f\x8b\x08" + b"x" * 600, b"age-encryption.org/v1\n"])
def test_other_files_are_not_backups(data: bytes) -> None:
    assert said_of(data) == (
        "x.backup: is not a backup of app-server. "
        "Name a file that `app-server backup` has made; unpack or decrypt it first."
    )


def forged(change: Callable[[tarfile.TarFile], None]) -> bytes:
    """A tar file that begins as a backup does."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        put(archive, DESCRIPTION, b'{"format": 1}')
        change(archive)
    return output.getvalue()


def put(archive: tarfile.TarFile, name: str, data: bytes = b"", **more: object) -> None:
    """Add a member, whatever it is."""
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    for key, value in more.items():
        setattr(entry, key, value)
    archive.addfile(entry, io.BytesIO(data))


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("../../etc/passwd", {}), ("/etc/passwd", {}), ("files/../../x", {}), ("files/a/b", {}), ("sessions/x", {}),
        (f"sessions/{KEY}/../../x", {}), (f"sessions/{KEY}\n", {}), ("bookmarks/../..", {}), (DESCRIPTION, {}),
        ("files/a", {"type": tarfile.SYMTYPE, "linkname": "/etc/shadow"}),
        ("files/a", {"type": tarfile.LNKTYPE, "linkname": DESCRIPTION}),
        ("files/a", {"type": tarfile.DIRTYPE}), ("files/a", {"type": tarfile.FIFOTYPE}),
        ("files/a", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}),
    ],
)  # fmt: skip
def test_hostile_members_are_refused(name: str, more: dict[str, object]) -> None:
    said = said_of(forged(lambda archive: put(archive, name, **more)))
    assert said.startswith("x.backup: is damaged: ") and said.endswith(". Nothing was restored. Take another backup.")


def test_member_that_comes_twice_is_refused() -> None:
    def twice(archive: tarfile.TarFile) -> None:
        put(archive, "files/a")
        put(archive, "files/a")

    assert "'files/a' does not belong there" in said_of(forged(twice))


def test_newer_format_is_refused_and_said() -> None:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        put(archive, DESCRIPTION, json.dumps({"format": 2, "version": "9.1"}).encode())
    assert said_of(output.getvalue()) == (
        "x.backup: was made by app-server 9.1, in a format that this one does not know. "
        "Restore it with that version or a newer one."
    )


@pytest.mark.parametrize(
    "member",
    [
        Member("file", "a", b"x", ids=(2**40, 0)),
        Member("file", "a", b"x", ids=(0, -1)),
        Member("file", "a", b"x", owner="ro\x1b[0mot"),
        Member("file", "\x1b[31mred\n", b"x"),
        Member("bookmark", "spring-2026", b"x", 1e300),
        Member("session", KEY, b"x", -1e300),
    ],
)
def test_what_could_only_fail_later_is_found_in_time(member: Member) -> None:
    assert "does not belong there" in said_of(written(member).getvalue())


def test_one_role_has_one_name() -> None:
    data = written(Member("file", "a", b"x"), Member("file", "%61", b"y")).getvalue()
    # As long as before, and another spelling of `a`.
    changed = data.replace(b"files/%2561", b"files/%61\0\0")
    header = changed.index(b"files/%61")
    entry = tarfile.TarInfo.frombuf(data[header : header + 512], "utf-8", "strict")
    entry.name = "files/%61"
    changed = changed[:header] + entry.tobuf() + changed[header + 512 :]
    assert "'files/%61' does not belong there" in said_of(changed)


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_no_memory_is_reserved_for_what_a_header_promises(kind: bytes) -> None:
    data = written(Member("session", KEY, b"x")).getvalue()
    at = data.index(b"sessions/")
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = kind, 2**60
    assert said_of(data[:at] + entry.tobuf(tarfile.GNU_FORMAT) + data[at:]).startswith("x.backup: is damaged: ")


def test_headers_within_headers_and_lists_within_lists_are_damage() -> None:
    data = written(Member("session", KEY, b"x")).getvalue()
    at = data.index(b"sessions/")
    about = b"12 foo=bar1\n"
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = tarfile.XHDTYPE, len(about)
    chain = (entry.tobuf() + about.ljust(512, b"\0")) * 3000
    assert said_of(data[:at] + chain + data[at:]).startswith("x.backup: is damaged: ")
    entry = tarfile.TarInfo(DESCRIPTION)
    entry.size = 102400
    assert "its description cannot be read" in said_of(entry.tobuf() + b"[" * entry.size + b"\0" * 1024)
