"""Which encodings a database may have: texts are Korean, so UTF8, and no other."""

from __future__ import annotations

from sqlalchemy import Connection, text

from worker.domain.errors import Refused

FIT = "UTF8"
REMEDY = "CREATE DATABASE again ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0, and use that one"


def unfit(connection: Connection) -> str:
    """Name the database's encoding if it is not the one that it must be; else give nothing."""
    encoding = str(connection.scalar(text("SHOW server_encoding")))
    return "" if encoding == FIT else encoding


def require_utf8(connection: Connection) -> None:
    """Raise Refused for a database of another encoding: what a PG says in Korean could not be written down there."""
    if encoding := unfit(connection):
        raise Refused(
            f"The database is encoded in {encoding}, and what customers and PGs write could not be kept in it. Make "
            f"another one: {REMEDY} in AGAIN_DATABASE_URL. Nothing was changed."
        )
