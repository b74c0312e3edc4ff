"""The rules for sources that a program can check; CONTRIBUTING.md gives their reasons."""

import posixpath
import re

import cmake
import tree
from include_table import IncludeTable

COLUMNS_MAX = 100

# What would make a pure part depend on more than the values that it is given.
IMPURE_INCLUDES = {
    "atomic", "barrier", "condition_variable", "coroutine", "ctime", "filesystem", "fstream", "future", "iostream",
    "latch", "mutex", "random", "semaphore", "shared_mutex", "stop_token", "thread"}
IMPURE_CODE = [
    (re.compile(r"\b\w+_clock\b"), "reads a clock: time comes in as a value (base/time.h)"),
    (re.compile(r"\b(rand|srand|random_device|mt19937(_64)?)\b"), "draws numbers: they come from base/random.h"),
    (re.compile(r"\b(getenv|sleep|usleep|nanosleep|sleep_for|sleep_until|clock_gettime|gettimeofday)\b"),
     "asks the operating system"),
    (re.compile(r"\bshared_ptr\b"), "shares ownership: a value or one owner does"),
    (re.compile(r"\bvolatile\b"), "is about threads or devices"),
]
UNORDERED = re.compile(r"\bunordered_(multi)?(map|set)\s*<")
LOOKUP_ONLY = "// lookup only"

# (pattern, what is wrong, whether tests may)
EVERYWHERE = [
    (re.compile(r"\bthrow\b"), "throws: errors are values (base/status.h)", True),
    (re.compile(r"\bthread_local\b"), "hides state in the thread: pass it in", False),
    (re.compile(r"\busing\s+namespace\b"), "opens a namespace for whoever reads on", False),
    (re.compile(r"\bassert\s*\("), "goes away in some builds: CHECK stays (base/check.h)", False),
]
SLEEP = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep|uv_sleep|time\.sleep|sleep)\s*\(")
# Between two looks at a condition with a deadline a test may wait a moment; the line says so.
POLL = re.compile(r"(//|#) poll\b")
PYTHON_LITERAL = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\"""")


def findings(root):
    table = IncludeTable(root)
    sources = tree.sources(root)
    known = {source.path for source in sources}
    for source in sources:
        yield from layout(source)
        yield from header(source)
        yield from own_header_first(source, known)
        yield from everywhere(source)
        part = table.part_of(source.path)
        if part and part.pure:
            yield from pure(source)
    for path in tree.paths(root, "_test.py"):
        lines = (root / path).read_text(encoding="utf-8").split("\n")
        yield from sleeps(path, [PYTHON_LITERAL.sub("''", line) for line in lines], lines)
    yield from built(root)


def layout(source):
    for number, line in enumerate(source.lines, 1):
        if len(line) > COLUMNS_MAX:
            yield source.at(number, f"{len(line)} columns: the limit is {COLUMNS_MAX}")


def header(source):
    if not source.is_header:
        return
    if not source.lines[0].startswith("// "):
        yield source.at(1, "a header starts with a paragraph that says what it is")
    first_code = next((line for line in source.code_lines if line.strip()), "")
    if first_code.strip() != "#pragma once":
        yield source.at(1, "a header has #pragma once before any code")


def own_header_first(source, known):
    """With it a header that has a source of its own is known to compile alone."""
    own = re.sub(r"\.cc$", ".h", source.path)
    if source.is_header or own not in known:
        return
    first = next(((line, name) for line, _, name in source.includes()), (1, None))
    if first[1] != own:
        yield source.at(first[0], f'"{own}" comes before all other includes')


def everywhere(source):
    for number, code in enumerate(source.code_lines, 1):
        for pattern, wrong, tests_may in EVERYWHERE:
            if pattern.search(code) and not (source.in_tests and tests_may):
                yield source.at(number, wrong)
    if source.in_tests:
        yield from sleeps(source.path, source.code_lines, source.lines)


def sleeps(path, code_lines, lines):
    for number, code in enumerate(code_lines, 1):
        if SLEEP.search(code) and not POLL.search(lines[number - 1]):
            yield f"{path}:{number}: a test does not sleep; a wait between two polls says '// poll' or '# poll'"


def pure(source):
    for line, quoted, name in source.includes():
        if not quoted and name in IMPURE_INCLUDES:
            yield source.at(line, f"<{name}> in a pure part")
    for number, code in enumerate(source.code_lines, 1):
        for pattern, wrong in IMPURE_CODE:
            if pattern.search(code):
                yield source.at(number, f"a pure part {wrong}")
        if UNORDERED.search(code) and LOOKUP_ONLY not in source.lines[number - 1]:
            yield source.at(number, f"an unordered container has no order to show: std::map, or '{LOOKUP_ONLY}'")


def built(root):
    """Every source and test is in the CMakeLists.txt of its folder, and every such page in its parent's."""
    for path in tree.paths(root, ".cc", "_test.py", "CMakeLists.txt"):
        folder, name = posixpath.split(path)
        if name == "CMakeLists.txt":
            if not folder:
                continue
            folder, name = posixpath.split(folder)
        page = posixpath.join(folder, "CMakeLists.txt")
        text = cmake.text_of(root, page) if (root / page).exists() else ""
        if not re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", text):
            yield f"{path}: {page} does not build it"


if __name__ == "__main__":
    tree.run(findings)
