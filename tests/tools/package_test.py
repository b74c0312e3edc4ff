"""The Debian package: what is in it, what it needs, and that what is in it works."""

import gzip
import os
import subprocess
import sys
import tempfile
import unittest

BUILD = sys.argv.pop(1)


def run(*words):
    ended = subprocess.run(words, capture_output=True, text=True, timeout=250, env={
        name: text for name, text in os.environ.items() if not name.startswith("EDDY_")})
    if ended.returncode != 0:
        raise AssertionError("%s: %s%s" % (words, ended.stdout, ended.stderr))
    return ended.stdout


class PackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        run("cpack", "-G", "DEB", "--config", os.path.join(BUILD, "CPackConfig.cmake"), "-B", cls.folder.name)
        (name,) = [name for name in os.listdir(cls.folder.name) if name.endswith(".deb")]
        cls.package = os.path.join(cls.folder.name, name)
        cls.root = os.path.join(cls.folder.name, "root")
        run("dpkg-deb", "-x", cls.package, cls.root)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def path(self, name):
        return os.path.join(self.root, name)

    def test_it_has_what_a_node_needs_and_belongs_to_root(self):
        listed = run("dpkg-deb", "-c", self.package).splitlines()
        self.assertEqual([line for line in listed if line.split()[1] != "root/root"], [])
        names = {line.split()[5] for line in listed}
        for name in ("./usr/bin/eddyd", "./usr/bin/eddyctl", "./usr/lib/systemd/system/eddyd.service",
                     "./etc/eddy/eddy.toml", "./usr/share/man/man1/eddyctl.1.gz", "./usr/share/man/man8/eddyd.8.gz",
                     "./usr/share/bash-completion/completions/eddyctl", "./usr/share/zsh/vendor-completions/_eddyctl",
                     "./usr/share/fish/vendor_completions.d/eddyctl.fish", "./usr/share/doc/eddy/copyright",
                     "./usr/share/doc/eddy/docs/OPERATIONS.md"):
            self.assertIn(name, names)

    def test_it_names_what_it_depends_on_and_keeps_a_configuration_that_was_changed(self):
        depends = run("dpkg-deb", "-f", self.package, "Depends")
        for library in ("librocksdb7.8", "libuv1", "libhttp-parser2.9", "libedit2", "libc6"):
            self.assertIn(library, depends)
        control = os.path.join(self.folder.name, "control")
        run("dpkg-deb", "-e", self.package, control)
        with open(os.path.join(control, "conffiles"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "/etc/eddy/eddy.toml\n")
        for script in ("postinst", "prerm", "postrm"):
            path = os.path.join(control, script)
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o755)
            run("sh", "-n", path)

    def test_what_is_in_it_works(self):
        self.assertIn("good", run(self.path("usr/bin/eddyd"), "--check-config", "--config",
                                  self.path("etc/eddy/eddy.toml")))
        self.assertIn("is good", run(self.path("usr/bin/eddyctl"), "config", "check",
                                     self.path("etc/eddy/eddy.toml")))
        with gzip.open(self.path("usr/share/man/man1/eddyctl.1.gz"), "rt") as page:
            self.assertTrue(page.read().startswith(".TH EDDYCTL 1"))
        run("bash", "-n", self.path("usr/share/bash-completion/completions/eddyctl"))
        with open(self.path("usr/lib/systemd/system/eddyd.service"), encoding="utf-8") as unit:
            self.assertIn("ExecStart=/usr/bin/eddyd --config /etc/eddy/eddy.toml", unit.read())


if __name__ == "__main__":
    unittest.main(verbosity=2)
