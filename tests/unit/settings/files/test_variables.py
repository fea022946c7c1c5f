"""Files of variables: every value is read as python-dotenv, docker compose and a shell read it, or refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from time import process_time

import pytest

from app_server.errors import OperatorError
from app_server.settings.files.variables import (
    LONGEST_FILE_BYTES,
    LONGEST_VALUE_BYTES,
    added,
    export,
    parse_variables,
    read_variables,
)
from tests.unit.settings.faulty import refusal

HOSTILE = {
    "a$b": "'a$b'",
    "$HOME": "'$HOME'",
    "${HOME}`id`$(id)": "'${HOME}`id`$(id)'",
    'say "hi"': "'say \"hi\"'",
    "it's": '"it\'s"',
    "\\": '"\\\\"',
    "\\\\host\\share": '"\\\\\\\\host\\\\share"',
    "C:\\new": "'C:\\new'",
    "# no comment": "'# no comment'",
    " both ends ": "' both ends '",
    "a=b;c&d|e>f": "'a=b;c&d|e>f'",
    "two\nlines": "'two\nlines'",
    "-----BEGIN\nKEY\n-----END": '"-----BEGIN\nKEY\n-----END"',
    "100 %n %d %%": "'100 %n %d %%'",
    "{{ jinja }} {% x %}": "'{{ jinja }} {% x %}'",
    "é ☃ 𝄞": "'é ☃ 𝄞'",
    "": "''",
    "plain-._~:/?@value": "plain-._~:/?@value",
}
"""Values that programs like to change, and how they are written."""


def test_hostile_values_arrive_as_they_are() -> None:
    text = "\n".join(f"V{number}={written}" for number, written in enumerate(HOSTILE.values()))
    assert list(parse_variables(text, "f").values()) == list(HOSTILE)


def test_shell_reads_the_same(tmp_path: Path) -> None:
    shell = shutil.which("sh")
    assert shell is not None
    file = tmp_path / "f"
    file.write_text("".join(f"V{number}={written}\n" for number, written in enumerate(HOSTILE.values())))
    done = subprocess.run(
        [shell, "-c", f"set -a; . {file}; exec env -0"], capture_output=True, check=True, env={"PATH": "/usr/bin:/bin"}
    )
    seen = dict(each.partition("=")[::2] for each in done.stdout.decode().split("\0"))
    assert {name: seen[name] for name in seen if name.startswith("V")} == read_variables(str(file), "f")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("\n  # a comment\n\n", {}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("export A=1\n  B = two words # and a comment\n", {"A": "1", "B": "two words"}),
        ("A=a#b\nB=\nC= \nD='' # none\n", {"A": "a#b", "B": "", "C": "", "D": ""}),
        ('A="tab\\tline\\nquote\\"" \n', {"A": 'tab\tline\nquote"'}),
        ("A=$\nB=5$ \nC=\"a $ b\"\n", {"A": "$", "B": "5$", "C": "a $ b"}),
        ("A=C:\\new\n", {"A": "C:\\new"}),
    ],
)  # fmt: skip
def test_lines_are_read(text: str, expected: dict[str, str]) -> None:
    assert parse_variables(text, "f") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nhunter2\n", "f:2: hunter2: has no value. Write hunter2=value, or hunter2= for an empty value."),
        ("A: hunter2", "f:1: expected NAME=value. A name has letters, digits and '_'. Lines of comments begin with #."),
        ("1A=hunter2", "f:1: expected NAME=value. A name has letters, digits and '_'. Lines of comments begin with #."),
        ("A=1\n\nA=2", "f:3: A: is given twice; see line 1"),
        ("A=hunter2$B", "f:1: A: has a $ that some programs replace by another variable, and others do not. "
                        "Put the value into single quotes, which change nothing."),
        ('A="hunter2${B}"', "f:1: A: has a $ that some programs replace by another variable, and others do not. "
                            "Put the value into single quotes, which change nothing."),
        ("A=# hunter2", "f:1: A: begins with #: it could be a value or a comment. Use quotes: '#...', or '' for none."),
        ("A=it's", 'f:1: A: contains a quote, but does not begin with one. '
                   r'Put it into double quotes, with \" for each of its own.'),
        ('A=say "hi"', "f:1: A: contains a quote, but does not begin with one. "
                       "Put the value into single quotes, which change nothing."),
        ("A=`id`", "f:1: A: contains a quote, but does not begin with one. "
                   "Put the value into single quotes, which change nothing."),
        ("A='hunter2\nB=1", "f:1: A: begins with a quote that is not closed"),
        ('A="hunter2\nB=1', "f:1: A: begins with a quote that is not closed"),
        ("A='hunter2' x", "f:1: A: goes on after its closing quote. Put all of it into the quotes."),
        ('A="hunter2"#x', "f:1: A: goes on after its closing quote. Put all of it into the quotes."),
        (r"A='a\\b'", r"f:1: A: has \\ or \' in single quotes, which programs read differently. "
                      r"Use double quotes, and write \\ for each backslash."),
        (r"A='hunter2\'", r"f:1: A: has \\ or \' in single quotes, which programs read differently. "
                          r"Use double quotes, and write \\ for each backslash."),
        (r'A="a\$b"', r"f:1: A: has \$ in double quotes, which programs read differently. "
                      r"Write \\ for a backslash, or put the value into single quotes."),
        ('A="a\\\nb"', "f:1: A: has a backslash at the end of a line in double quotes, which programs read "
                       r"differently. Write \\ for a backslash, or put the value into single quotes."),
        ("A='a\0b'", "f:1: A: contains a control character"),
        ("A='\x1b[31m'", "f:1: A: contains a control character"),
        ("A='1\n2'\nB=\x7f", "f:3: B: contains a control character"),
        ("A=" + "x" * (LONGEST_VALUE_BYTES + 1), "f:1: A: is longer than 100,000 bytes. Put it into a file, and name "
                                                 "that."),
    ],
)  # fmt: skip
def test_what_is_ambiguous_is_refused_without_its_value(text: str, message: str) -> None:
    with pytest.raises(OperatorError) as caught:
        parse_variables(text, "f")
    assert str(caught.value) == message


def test_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        read_variables(str(tmp_path / "no"), "--env-file")
    assert str(caught.value) == f"--env-file: {tmp_path}/no does not exist"
    (tmp_path / "latin").write_bytes(b"A=\xe9")
    with pytest.raises(OperatorError) as caught:
        read_variables(str(tmp_path / "latin"), "--env-file")
    assert str(caught.value) == f"--env-file: {tmp_path}/latin is not UTF-8 text"
    (tmp_path / "bom").write_bytes(b"\xef\xbb\xbfA=1")
    assert read_variables(str(tmp_path / "bom"), "--env-file") == {"A": "1"}


def test_what_is_set_stays() -> None:
    assert added({"A": "file", "B": "file"}, {"B": "", "C": "set"}) == {"A": "file", "B": "", "C": "set"}


def test_large_files_are_read_in_no_time_or_refused(tmp_path: Path) -> None:
    many = "\n".join(f"V{number}=1" for number in range(90_000))
    assert len(many) < LONGEST_FILE_BYTES
    began = process_time()
    assert len(parse_variables(many, "f")) == 90_000
    assert parse_variables("A=a" + " \t" * 40_000 + "b", "f")["A"].endswith("b")
    assert process_time() - began < 10, "the time grows with the square of the size"
    path = tmp_path / "f"
    path.write_text("A=1\n" * 250_001)
    assert refusal(lambda: read_variables(str(path), "--env-file")) == (
        f"--env-file: {path} is longer than 1,000,000 bytes"
    )


@pytest.mark.parametrize("value", ["\u00a0a", "a\u3000", "a\rB=2"])
def test_spaces_that_programs_cut_off_are_refused_without_quotes(value: str) -> None:
    what = "has an unusual space or line end, which programs read differently"
    assert refusal(lambda: parse_variables(f"\n\nA={value}\n", "f")) == f"f:3: A: {what}. Use quotes."
    assert parse_variables(f"A='{value}'", "f") == {"A": value}


def test_encrypted_file_says_who_reads_it() -> None:
    text = "$ANSIBLE_VAULT;1.1;AES256\n6162\n"
    assert refusal(lambda: parse_variables(text, "f")) == "f: is encrypted with ansible-vault, which only Ansible reads"


def test_time_zone_of_a_file_applies_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"SET": "1"})
    called: list[str] = []
    monkeypatch.setattr(time, "tzset", lambda: called.append(os.environ["TZ"]), raising=False)
    export({"SET": "2", "A": "3"})
    assert (dict(os.environ), called) == ({"SET": "1", "A": "3"}, [])
    export({"TZ": "Asia/Tokyo"})
    assert called == ["Asia/Tokyo"]
