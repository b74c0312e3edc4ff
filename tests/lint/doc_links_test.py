"""Relative links of the pages lead to files and headings that exist, and so do the paths that they name in `code`."""

import posixpath
import re

import tree

FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
# `ring/layout.h`, `tests/lint/`: a path below one of the tree's folders; with a _ at its end it is a prefix.
PATH = re.compile(r"`([a-z_]+/[A-Za-z0-9_./-]+)`")
MADE_BY_BUILDING = "build/"


def findings(root):
    for page in tree.paths(root, ".md"):
        text = (root / page).read_text(encoding="utf-8")
        prose = FENCE.sub("", text)
        folder = posixpath.dirname(page)
        for target in LINK.findall(prose):
            problem = link(root, folder, page, target)
            if problem:
                yield f"{page}: {problem}"
        for path in PATH.findall(prose):
            in_tree = (root / path.split("/")[0]).is_dir() and not path.startswith(MADE_BY_BUILDING)
            if in_tree and not any(root.glob(path + "*" if path.endswith("_") else path)):
                yield f"{page}: `{path}` does not exist"


def link(root, folder, page, target):
    if re.match(r"[a-z]+:", target):
        return None
    path, _, heading = target.partition("#")
    path = posixpath.normpath(posixpath.join(folder, path)) if path else page
    if not (root / path).exists():
        return f"the link to {target} leads nowhere"
    if heading and heading not in headings((root / path).read_text(encoding="utf-8")):
        return f"{path} has no heading #{heading}"
    return None


def headings(text):
    """The anchors that a page's headings get: lower case, punctuation gone, spaces as dashes."""
    titles = re.findall(r"^#+ +(.*)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


if __name__ == "__main__":
    tree.run(findings)
