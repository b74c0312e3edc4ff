"""Every source is as clang-format writes it; `./dev fmt` does so."""

import subprocess

import tree

FORMATTER = "clang-format-19"


def findings(root):
    paths = tree.paths(root, ".h", ".cc")
    done = subprocess.run([FORMATTER, "--dry-run", "--Werror", *paths], cwd=root, capture_output=True, text=True)
    if done.returncode != 0:
        yield done.stderr.strip() or f"{FORMATTER} ended with {done.returncode}"


if __name__ == "__main__":
    tree.run(findings)
