"""Reading the text of a small file that a setting names, with a sentence for whatever is in the way."""

from __future__ import annotations

from pathlib import Path

MOST_BYTES = 256 * 1024


def text_of(path: str) -> str:
    """Return what is in a file. Raises ValueError."""
    try:
        return _bytes(Path(path)).decode("utf-8-sig")  # editors of Windows put a mark at the beginning
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not in UTF-8; save it in that encoding") from None


def _bytes(path: Path) -> bytes:
    """Return the bytes of a regular file: reading a pipe or a device might never end."""
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is no file")
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"{path} is larger than {MOST_BYTES // 1024} KiB")
    return content
