"""A hook of `make docs`: documents beside mkdocs.yml become pages too, and links that GitHub follows work on the site.

MkDocs knows only what is below docs/. A link such as ../ARCHITECTURE.md#a-charge would otherwise lead nowhere, and
would not be checked.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
# MkDocs takes a README for the index of its folder, which is docs/index.md.
READMES = {"README.md": "readme.md", "README.ko.md": "ko/readme.md"}
PAGES = {path.name: READMES.get(path.name, path.name) for path in ROOT.glob("*.md")}
NAMES = {page: name for name, page in PAGES.items()}
LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)\s#]+)")
FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents of the repository's root, and the pictures that pages show from outside docs/."""
    for name, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / name)))
    texts = [file.content_string for file in files if file.src_uri.endswith(".md")]
    for picture in sorted(
        {found for text in texts for found in re.findall(r"tests/browser/screenshots/[\w-]+\.png", text)}
    ):
        files.append(File.generated(config, picture, abs_src_path=str(ROOT / picture)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turn links between files of the repository into links between pages of the site."""
    here = page.file.src_uri
    folder = posixpath.dirname("" if here in NAMES else f"docs/{here}")

    def on_site(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, match[1]))
        target = PAGES.get(target, target.removeprefix("docs/"))
        return posixpath.relpath(target, posixpath.dirname(here) or ".")

    parts = FENCED.split(markdown)
    return "".join(part if part.startswith("```") else LINK.sub(on_site, part) for part in parts)


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """Mark Korean pages as Korean: browsers choose fonts by it, and screen readers the voice."""
    return output.replace('<html lang="en"', '<html lang="ko"', 1) if page.file.src_uri.startswith("ko/") else output
