"""The source tree as the lint tests see it: its files, what they include, and their text without comments."""

import os
import re
import sys
from pathlib import Path

SKIPPED = {"build", ".git", ".eddy", ".cache", "node_modules", "__pycache__"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
COMMENT_OR_LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)


class Source:
    """One C++ file: `path` is relative to the root, with forward slashes."""

    def __init__(self, root, path):
        self.path = path
        self.text = (root / path).read_text(encoding="utf-8")
        self.lines = self.text.split("\n")
        # The same number of lines, with comments and literals blanked.
        self.code = COMMENT_OR_LITERAL.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), self.text)
        self.code_lines = self.code.split("\n")

    @property
    def is_header(self):
        return self.path.endswith(".h")

    @property
    def in_tests(self):
        return self.path.startswith("tests/")

    def includes(self):
        """(line number, quoted or angled, name) of each include."""
        for match in INCLUDE.finditer(self.text):
            yield self.text.count("\n", 0, match.start()) + 1, match[1] == '"', match[2]

    def at(self, line, text):
        return f"{self.path}:{line}: {text}"


def paths(root, *suffixes):
    """All files with one of the suffixes or names, relative to the root, in order."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in SKIPPED)
        for name in sorted(files):
            if name.endswith(suffixes):
                found.append((Path(folder) / name).relative_to(root).as_posix())
    return found


def sources(root):
    return [Source(root, path) for path in paths(root, ".h", ".cc")]


def run(findings):
    """The main of each lint test: `findings` takes the root and gives one text for each finding."""
    root = Path(os.environ.get("EDDY_ROOT", Path(__file__).resolve().parents[2]))
    found = list(findings(root))
    for text in found:
        print(text)
    print(f"{len(found)} findings")
    sys.exit(1 if found else 0)
