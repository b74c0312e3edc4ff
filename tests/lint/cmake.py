"""What the CMakeLists.txt of the folders declare with the functions of cmake/eddy.cmake."""

import posixpath
import re
from dataclasses import dataclass

import tree

CALL = re.compile(r"\beddy_(library|program|test)\s*\(([^)]*)\)")
KEYWORDS = {"SOURCES", "LINKS", "TIMEOUT"}


@dataclass
class Target:
    name: str
    page: str  # the CMakeLists.txt
    sources: list  # relative to the root
    links: list


def text_of(root, page):
    return re.sub(r"#[^\n]*", "", (root / page).read_text(encoding="utf-8"))


def targets(root):
    for page in tree.paths(root, "CMakeLists.txt"):
        for call in CALL.finditer(text_of(root, page)):
            words = {"": []}
            keyword = ""
            for word in call[2].split():
                if word in KEYWORDS:
                    keyword = word
                words.setdefault(keyword, []).append(word)
            folder = posixpath.dirname(page)
            sources = [posixpath.normpath(posixpath.join(folder, word)) for word in words.get("SOURCES", [])[1:]
                       if "$" not in word]
            yield Target(words[""][0], page, sources, words.get("LINKS", [])[1:])
