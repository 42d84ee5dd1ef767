"""A TOML file that a person wrote, whoever names it."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path
from typing import Any

from actors.errors import InputError

LARGEST = 1024 * 1024
"""Bytes of a file that is read."""


def read_toml(path: Path, error_type: type[InputError]) -> dict[str, Any]:
    """Read a TOML file, or raise `error_type` with one clear line."""
    try:
        # looked at before it is opened: a pipe would wait for its writer, a device has no end
        if not stat.S_ISREG(path.stat().st_mode):
            raise error_type([f"{path}: is no regular file: name a TOML file"])
        with path.open("rb") as file:
            written = file.read(LARGEST + 1)
        if len(written) > LARGEST:
            raise error_type([f"{path}: is too large: write at most {LARGEST} bytes"])
        return tomllib.loads(written.decode())
    except OSError as error:
        raise error_type([f"{path}: can't be read: {error.strerror}"]) from None
    except ValueError as error:
        raise error_type([f"{path}: is not valid TOML: {error}"]) from None
    except RecursionError:
        raise error_type([f"{path}: is not valid TOML: too many brackets in brackets"]) from None
