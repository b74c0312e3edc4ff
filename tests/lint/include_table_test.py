"""Nobody includes or links what the include table does not grant."""

import fnmatch
import re

import cmake
import tree
from include_table import EVERYTHING, PAGE, IncludeTable

# The C and POSIX headers that the operating system gives.
POSIX = ["arpa/*", "dirent.h", "errno.h", "fcntl.h", "net/*", "netdb.h", "netinet/*", "poll.h", "pthread.h", "sched.h",
         "signal.h", "std*.h", "string.h", "sys/*", "syslog.h", "termios.h", "time.h", "unistd.h"]


def findings(root):
    table = IncludeTable(root)
    for part in table.parts.values():
        for name in part.may_include:
            if name != EVERYTHING and name not in table.parts:
                yield f"{PAGE}: {part.prefix} may include {name}, which is no part"
    for source in tree.sources(root):
        part = table.part_of(source.path)
        if part is None:
            yield f"{source.path}: belongs to no part of the table in {PAGE}"
            continue
        for line, quoted, name in source.includes():
            problem = ours(root, table, part, name) if quoted else outside(part, name)
            if problem:
                yield source.at(line, problem)
    yield from links(root, table)


def ours(root, table, part, name):
    other = table.part_of(name)
    if other is None:
        return f'"{name}" does not start at the root of the tree, or is in no part of {PAGE}'
    if not (root / name).exists() and not name.endswith("_generated.h"):
        return f'"{name}" does not exist'
    if not part.allows(other):
        return f"{part.prefix} may not include {other.prefix} ({PAGE})"
    return None


def outside(part, name):
    if re.fullmatch(r"[a-z0-9_]+", name):  # the standard library
        return None
    if any(fnmatch.fnmatch(name, pattern) for pattern in POSIX):
        granted = "POSIX" in part.outside
    else:
        granted = EVERYTHING in part.may_include or any(name.startswith(prefix) for prefix in part.outside)
    return None if granted else f"{part.prefix} may not include <{name}> ({PAGE})"


def links(root, table):
    """A target is made of the parts that its sources are in; it may link what these may include."""
    targets = {target.name: target for target in cmake.targets(root)}
    parts = {name: [part for part in map(table.part_of, target.sources) if part] for name, target in targets.items()}
    for name, target in targets.items():
        for link in target.links:
            for other in parts.get(link, []):
                if not any(part.allows(other) for part in parts[name]):
                    yield f"{target.page}: {name} may not link {link}: {other.prefix} is not in its row of {PAGE}"


if __name__ == "__main__":
    tree.run(findings)
