"""The alert rules are well-formed, fire at what they are for, and let pass what they are not for."""

import os
import subprocess
import unittest

ROOT = os.environ["EDDY_ROOT"]


class AlertsTest(unittest.TestCase):
    def promtool(self, *words):
        ended = subprocess.run(["promtool", *words], cwd=ROOT, capture_output=True, text=True, timeout=120)
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        return ended.stdout

    def test_they_are_well_formed(self):
        self.assertRegex(self.promtool("check", "rules", "docker/alerts.yml"), "[1-9][0-9]* rules found")

    def test_each_fires_at_what_it_is_for(self):
        self.assertIn("SUCCESS", self.promtool("test", "rules", "tests/docker/alerts_test.yml"))
        with open(os.path.join(ROOT, "docker/alerts.yml"), encoding="utf-8") as rules:
            names = [line.split()[-1] for line in rules if "- alert:" in line]
        with open(os.path.join(ROOT, "tests/docker/alerts_test.yml"), encoding="utf-8") as tests:
            text = tests.read()
        for name in names:
            self.assertRegex(text, r"alertname: %s\n *exp_alerts" % name)

    def test_the_handbook_says_what_to_do_for_each(self):
        with open(os.path.join(ROOT, "docker/alerts.yml"), encoding="utf-8") as rules:
            names = [line.split()[-1] for line in rules if "- alert:" in line]
        with open(os.path.join(ROOT, "docs/OPERATIONS.md"), encoding="utf-8") as page:
            text = page.read()
        self.assertEqual([name for name in names if "`%s`" % name not in text], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
