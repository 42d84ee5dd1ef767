"""TOML files that people name: regular, of a bounded size, and told about in one line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from serving import command

from actors.config import load_config
from actors.errors import ConfigError, InputError, QuoteError
from actors.quote_request import read_quote_request
from actors.toml_file import LARGEST, read_toml


def refused(path: Path | str) -> str:
    with pytest.raises(ConfigError) as error:
        read_toml(Path(path), ConfigError)
    (line,) = error.value.mistakes
    return line


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "."])
def test_a_device_and_a_folder_are_refused(path: str) -> None:
    assert refused(path) == f"{path}: is no regular file: name a TOML file"


def test_a_file_of_the_limit_is_read_and_a_larger_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "large.toml"
    file.write_text("a = 1\n".ljust(LARGEST))
    assert read_toml(file, ConfigError) == {"a": 1}

    file.write_text("a = 1\n".ljust(LARGEST + 1))

    assert refused(file) == f"{file}: is too large: write at most 1048576 bytes"


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a = 1\r\n")
    (tmp_path / "link").symlink_to("file")

    assert read_toml(tmp_path / "link", ConfigError) == {"a": 1}


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (b"\xff", "is not valid TOML: 'utf-8' codec can't decode"),
        (b"a = ", "is not valid TOML: Invalid value"),
        (b"a = " + b"[" * 9999, "is not valid TOML: too many brackets in brackets"),
    ],
)
def test_what_is_no_toml_is_said(tmp_path: Path, written: bytes, words: str) -> None:
    (tmp_path / "file").write_bytes(written)

    assert words in refused(tmp_path / "file")


@pytest.mark.parametrize(
    ("read", "error"), [(read_quote_request, QuoteError), (load_config, ConfigError)]
)
def test_quotes_and_configs_are_such_files(
    read: Callable[[str], object], error: type[InputError]
) -> None:
    with pytest.raises(error, match="is no regular file"):
        read("/dev/null")


@pytest.mark.parametrize("arguments", [("run",), ("add",), ("run", "--config")], ids=" ".join)
def test_a_command_does_not_wait_for_a_pipe_that_nobody_writes_to(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    os.mkfifo(tmp_path / "pipe")

    ran = command(tmp_path, *arguments, "pipe")

    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "parley: pipe: is no regular file: name a TOML file\n"
