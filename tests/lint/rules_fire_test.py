"""Each lint rule notices what it is for, in a small tree of its own, and is quiet where nothing is wrong."""

import tempfile
import unittest
from pathlib import Path

import doc_links_test
import format_test
import include_table_test
import source_rules_test

ARCHITECTURE = """# Architecture

| part | holds | may include | from outside | pure |
|---|---|---|---|---|
| `base/` | values | | `fmt/` | yes |
| `core/` | decisions | `base/` | | yes |
| `core/disk_` | a disk | `base/` `core/` | `POSIX` `rocksdb/` | |
| `shell/` | sockets | `base/` `core/` | `uv.h` | |
| `tests/` | promises | everything | | |

Text after the table, with `core/core.h`.
"""

HEADER = "// What it is.\n#pragma once\n\n"

GOOD = {
    ".clang-format": (Path(__file__).resolve().parents[2] / ".clang-format").read_text(encoding="utf-8"),
    "docs/ARCHITECTURE.md": ARCHITECTURE,
    "README.md": "[pages](docs/ARCHITECTURE.md#architecture)\n",
    "CMakeLists.txt": "foreach(folder base core shell tests)\nendforeach()\n",
    "base/CMakeLists.txt": "eddy_library(eddy_base SOURCES base.cc LINKS fmt::fmt)\n",
    "base/base.h": HEADER + "#include <string>\n\nint F();\n",
    "base/base.cc": '#include "base/base.h"\n\n#include <fmt/core.h>\n\nint F() { return 1; }  // throw; sleep(1)\n',
    "core/CMakeLists.txt": "eddy_library(eddy_core SOURCES core.cc LINKS eddy_base)\n"
                           "eddy_library(eddy_core_disk SOURCES disk_file.cc LINKS eddy_core)\n",
    "core/core.h": HEADER + '#include "base/base.h"\n\nclass C {};\n',
    "core/core.cc": '#include "core/core.h"\n\n#include <unordered_map>\n\n'
                    "std::unordered_map<int, int> m;  // lookup only\n",
    "core/disk_file.cc": '#include <unistd.h>\n\n#include <mutex>\n\n#include <rocksdb/db.h>\n\n'
                         '#include "core/core.h"\n',
    "shell/CMakeLists.txt": "eddy_library(eddy_shell SOURCES shell.cc LINKS eddy_core eddy_base)\n",
    "shell/shell.cc": '#include <uv.h>\n\n#include <thread>\n\n#include "core/core.h"\n',
    "tests/CMakeLists.txt": "eddy_test(core_test SOURCES core_test.cc LINKS eddy_core_disk)\n"
                            "eddy_python_test(cluster SCRIPT cluster_test.py)\n",
    "tests/core_test.cc": '#include "core/core.h"\n\n#include <gtest/gtest.h>\n\nvoid T() { throw 1; }\n',
    "tests/cluster_test.py": "time.sleep(0.01)  # poll\n",
}


class Rules(unittest.TestCase):
    def findings(self, rules, changes):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for path, text in {**GOOD, **changes}.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text, encoding="utf-8")
            return list(rules.findings(root))

    def fires(self, rules, path, text, message):
        """With this one file changed there is one finding: it names the file and says `message`."""
        found = self.findings(rules, {path: text})
        self.assertEqual(len(found), 1, found)
        self.assertIn(path, found[0])
        self.assertIn(message, found[0])

    def test_a_good_tree_has_no_findings(self):
        for rules in (include_table_test, source_rules_test, doc_links_test):
            self.assertEqual(self.findings(rules, {}), [])

    def test_an_include_that_no_row_grants(self):
        self.fires(include_table_test, "core/core.h", HEADER + '#include "shell/shell.h"\n', "does not exist")
        self.fires(include_table_test, "base/base.h", HEADER + '#include "core/core.h"\n', "may not include core/")
        self.fires(include_table_test, "shell/shell.cc", '#include "core/disk_file.cc"\n', "may not include core/disk_")
        self.fires(include_table_test, "core/core.h", HEADER + '#include "core.h"\n', "start at the root")
        self.fires(include_table_test, "core/core.h", HEADER + "#include <uv.h>\n", "<uv.h>")
        self.fires(include_table_test, "core/core.h", HEADER + "#include <sys/socket.h>\n", "<sys/socket.h>")
        self.fires(include_table_test, "shell/shell.cc", "#include <rocksdb/db.h>\n", "<rocksdb/db.h>")
        self.fires(include_table_test, "tools.cc", "", "no part of the table")

    def test_a_link_that_no_row_grants(self):
        self.fires(include_table_test, "base/CMakeLists.txt",
                   "eddy_library(eddy_base SOURCES base.cc LINKS eddy_core)\n", "may not link eddy_core")
        self.fires(include_table_test, "shell/CMakeLists.txt",
                   "eddy_library(eddy_shell SOURCES shell.cc\n  LINKS eddy_core_disk)\n", "may not link eddy_core_disk")

    def test_a_table_that_names_no_part(self):
        self.fires(include_table_test, "docs/ARCHITECTURE.md",
                   ARCHITECTURE.replace("sockets | `base/`", "sockets | `bass/` `base/`"), "is no part")

    def test_impure_code_in_a_pure_part(self):
        def core(line):
            return '#include "core/core.h"\n\n' + line + "\n"
        for line in ("#include <thread>", "#include <mutex>", "#include <atomic>", "#include <random>",
                     "#include <fstream>"):
            self.fires(source_rules_test, "core/core.cc", core(line), "in a pure part")
        self.fires(source_rules_test, "core/core.cc", core("int t = steady_clock::now();"), "reads a clock")
        self.fires(source_rules_test, "core/core.cc", core("int x = rand();"), "draws numbers")
        self.fires(source_rules_test, "core/core.cc", core('const char* p = getenv("X");'), "operating system")
        self.fires(source_rules_test, "core/core.cc", core("std::shared_ptr<int> p;"), "shares ownership")
        self.fires(source_rules_test, "core/core.cc", core("std::unordered_set<int> s;"), "unordered")

    def test_rules_for_headers(self):
        self.fires(source_rules_test, "core/core.h", "#pragma once\n", "paragraph")
        self.fires(source_rules_test, "core/core.h", "// What it is.\nint F();\n#pragma once\n", "#pragma once")
        self.fires(source_rules_test, "core/core.cc", '#include <map>\n\n#include "core/core.h"\n', "before all other")

    def test_rules_for_every_source(self):
        self.fires(source_rules_test, "shell/shell.cc", "void F() { throw 1; }\n", "throws")
        self.fires(source_rules_test, "shell/shell.cc", "thread_local int x;\n", "hides state")
        self.fires(source_rules_test, "shell/shell.cc", "using namespace std;\n", "opens a namespace")
        self.fires(source_rules_test, "shell/shell.cc", "void F() { assert(true); }\n", "CHECK stays")
        self.fires(source_rules_test, "shell/shell.cc", "// " + "x" * 98 + "\n", "101 columns")

    def test_a_test_that_sleeps(self):
        self.fires(source_rules_test, "tests/core_test.cc", "void T() { usleep(100); }\n", "does not sleep")
        self.fires(source_rules_test, "tests/cluster_test.py", "time.sleep(1)\n", "does not sleep")

    def test_a_source_that_nothing_builds(self):
        self.fires(source_rules_test, "core/forgotten.cc", "", "does not build it")
        self.fires(source_rules_test, "tests/forgotten_test.py", "", "does not build it")
        self.fires(source_rules_test, "later/CMakeLists.txt", "", "does not build it")

    def test_a_source_that_is_not_formatted(self):
        self.assertEqual(self.findings(format_test, {}), [])
        found = self.findings(format_test, {"core/core.h": HEADER + "int   f( );\n"})
        self.assertEqual(len(found), 1)
        self.assertIn("core/core.h", found[0])

    def test_a_page_that_leads_nowhere(self):
        self.fires(doc_links_test, "README.md", "[x](docs/NOWHERE.md)\n", "leads nowhere")
        self.fires(doc_links_test, "README.md", "[x](docs/ARCHITECTURE.md#nothing)\n", "has no heading")
        self.fires(doc_links_test, "README.md", "see `core/gone.h`\n", "does not exist")
        fenced = "```\n[x](not/a/link)\n```\n[y](https://a.b)\n"
        self.assertEqual(self.findings(doc_links_test, {"README.md": fenced}), [])


if __name__ == "__main__":
    unittest.main()
