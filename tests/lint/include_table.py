"""The include table of docs/ARCHITECTURE.md: the one place that says which part of the tree may use which other.

A part is a path prefix; a file belongs to the longest one that fits."""

import re
from dataclasses import dataclass

PAGE = "docs/ARCHITECTURE.md"
HEADING = ["part", "holds", "may include", "from outside", "pure"]
EVERYTHING = "everything"


@dataclass
class Part:
    prefix: str
    may_include: list  # prefixes of other parts, or EVERYTHING
    outside: list  # prefixes of third-party headers; POSIX for the operating system's
    pure: bool

    def allows(self, other):
        return other == self or EVERYTHING in self.may_include or other.prefix in self.may_include


class IncludeTable:
    def __init__(self, root):
        self.parts = {part.prefix: part for part in read_parts((root / PAGE).read_text(encoding="utf-8"))}

    def part_of(self, path):
        fitting = [prefix for prefix in self.parts if path.startswith(prefix)]
        return self.parts[max(fitting, key=len)] if fitting else None


def read_parts(page):
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")]
            for line in page.split("\n") if line.startswith("|")]
    if HEADING not in rows:
        raise ValueError(f"{PAGE} has no table with the heading {HEADING}")
    for row in rows[rows.index(HEADING) + 2:]:
        if len(row) != len(HEADING):
            break
        names = [re.findall(r"`([^`]+)`", cell) for cell in row]
        may_include = [EVERYTHING] if row[2] == EVERYTHING else names[2]
        yield Part(names[0][0], may_include, names[3], row[4] == "yes")
