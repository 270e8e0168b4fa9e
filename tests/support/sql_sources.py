"""Reading the source for SQL: where it stands, and who writes charges and attempts.

Every checker takes a text and returns what it has found in it, so that it can be tried on planted texts.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

ORM_MODULE = "worker.database.tables"
MONEY_CLASSES = frozenset({"Charge", "Attempt"})
MONEY_TABLES = r"(?:public\s*\.\s*)?\"?(?:charges|attempts)\"?\b"

BLANK = "{}"
"""What stands for the values of an f-string."""

WRITES = re.compile(
    rf"\b(?:INSERT\s+INTO|UPDATE(?:\s+ONLY)?|DELETE\s+FROM(?:\s+ONLY)?|TRUNCATE(?:\s+TABLE)?|MERGE\s+INTO|COPY)\s+"
    rf"(?:{MONEY_TABLES}|{re.escape(BLANK)})",
    re.IGNORECASE,
)
"""A statement that writes one of the two tables, or one whose name is put in later."""

STATEMENT = re.compile(
    r"\s*(?:WITH\s+\w+(?:\s*\([^)]*\))?\s+AS\b|SELECT\s|INSERT\s+INTO\s|UPDATE\s+\S+.*\bSET\s|DELETE\s+FROM\s"
    r"|MERGE\s+INTO\s|TRUNCATE\s|COPY\s+\S+\s+(?:FROM|TO)\s|LOCK\s+TABLE\s|SHOW\s+[a-z_]+\s*$"
    r"|(?:CREATE|ALTER|DROP)\s+(?:\w+\s+){0,3}(?:TABLE|INDEX|DATABASE|FUNCTION|TRIGGER|ROLE|TYPE|VIEW)\b)",
    re.DOTALL,
)
"""How SQL begins, in the capitals in which it is written here."""


def strings(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and text of every string, f-strings with their values blank and sums joined; no docstrings."""
    tree = ast.parse(source)
    prose = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inside: set[ast.AST] = set()
    for node in ast.walk(tree):  # outer nodes come first
        if node in inside or node in prose:
            continue
        if isinstance(node, ast.expr) and (found := joined(node)) is not None:
            inside.update(ast.walk(node))
            yield node.lineno, found


def joined(node: ast.expr) -> str | None:
    """Return the text of a string, an f-string or a sum with one in it; None for other expressions."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=values):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else BLANK for part in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            parts = joined(left), joined(right)
            return None if parts == (None, None) else "".join(BLANK if part is None else part for part in parts)
        case _:
            return None


def statements(source: str) -> list[str]:
    """Return the strings that are SQL statements, each with its line and beginning."""
    return [f"{line}: {' '.join(text.split()):.60}" for line, text in strings(source) if STATEMENT.match(text)]


def money_writes(source: str) -> list[str]:
    """Return what writes charges or attempts: SQL, and rows made, inserted, updated or deleted through the ORM."""
    in_sql = [
        f"{line}: {' '.join(found[0].split())}" for line, text in strings(source) for found in WRITES.finditer(text)
    ]
    tree = ast.parse(source)
    classes = _money_classes(tree)
    in_orm = [
        f"{node.lineno}: {ast.unparse(node):.60}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _writes(node, classes)
    ]
    return in_sql + in_orm


def _money_classes(tree: ast.Module) -> frozenset[str]:
    """Return the names by which a module knows the two tables' classes, such as `Charge` or `charges.Charge`."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(ORM_MODULE):
            for alias in node.names:
                known = alias.asname or alias.name
                names |= {known} if alias.name in MONEY_CLASSES else {f"{known}.{each}" for each in MONEY_CLASSES}
        elif isinstance(node, ast.Import):
            modules = [alias.asname or alias.name for alias in node.names if alias.name.startswith(ORM_MODULE)]
            names |= {f"{module}.{each}" for module in modules for each in MONEY_CLASSES}
    return frozenset(names)


def _writes(call: ast.Call, classes: frozenset[str]) -> bool:
    """Return whether a call makes a row, or is `insert`, `update` or `delete` of one of the classes or its table."""
    function = ast.unparse(call.func)
    if function in classes:
        return True
    name = function.rpartition(".")[2]
    if name in {"insert", "update", "delete", "bulk_insert_mappings", "bulk_update_mappings"}:
        targets = [ast.unparse(each) for each in call.args[:1]] + [function.removesuffix(f".{name}")]
        return any(target.removesuffix(".__table__") in classes for target in targets)
    return False
