"""The Debian package, installed for real in a container of Debian 12: what dpkg makes of it, upgrades, removes and purges.

The container is of the image that has the libraries, so nothing is fetched. It goes when the test ends, and so does a dockerd
that was not there before."""

import os
import sys
import tempfile
import unittest

BUILD = sys.argv.pop(1)
sys.path.insert(0, os.path.join(os.environ["EDDY_ROOT"], "tests", "cluster"))
import harness  # noqa: E402
from commands import Commands  # noqa: E402

CONFIG = "/etc/eddy/eddy.toml"
COMMANDS = Commands(harness.daemon_environment())
run, must = COMMANDS.run, COMMANDS.must


def setUpModule():
    unittest.addModuleCleanup(must, "./dev", "docker", "stop-engine")
    must("./dev", "docker", "image", "--bin", harness.BIN, seconds=1200)


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        must("cpack", "-G", "DEB", "--config", os.path.join(BUILD, "CPackConfig.cmake"), "-B", cls.folder)
        (name,) = [name for name in os.listdir(cls.folder) if name.endswith(".deb")]
        cls.package = os.path.join(cls.folder, name)
        cls.version = must("dpkg-deb", "-f", cls.package, "Version").strip()
        cls.later = {suffix: cls.next_package(suffix) for suffix in "12"}

    def setUp(self):
        self.container = must("docker", "run", "-d", "--network", "none", "--user", "root", "--entrypoint", "sleep", "--tmpfs",
                              "/var/lib/eddy", "eddy-runtime", "infinity").strip()
        self.addCleanup(must, "docker", "rm", "-f", "-v", self.container)
        # As a machine is: no user of ours yet, and documentation is kept.
        self.inside("userdel eddy && rm /etc/dpkg/dpkg.cfg.d/docker && chown root: /var/lib/eddy")

    def inside(self, script):
        return must("docker", "exec", self.container, "sh", "-ec", script)

    def there(self, path):
        return run("docker", "exec", self.container, "test", "-e", path).returncode == 0

    def install(self, package, *flags):
        must("docker", "cp", package, self.container + ":/tmp/eddy.deb")
        return self.inside("dpkg %s -i /tmp/eddy.deb 2>&1" % " ".join(flags))

    @classmethod
    def next_package(cls, suffix):
        """The same, as a later version whose configuration file says something more."""
        tree = os.path.join(cls.folder, "tree" + suffix)
        must("dpkg-deb", "-R", cls.package, tree)
        control = os.path.join(tree, "DEBIAN", "control")
        with open(control, encoding="utf-8") as file:
            text = file.read()
        with open(control, "w", encoding="utf-8") as file:
            file.write(text.replace("Version: " + cls.version, "Version: %s+%s" % (cls.version, suffix)))
        with open(tree + CONFIG, "a", encoding="utf-8") as file:
            file.write("# new in %s\n" % suffix)
        package = os.path.join(cls.folder, "eddy%s.deb" % suffix)
        must("dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, package)
        return package

    def test_a_machine_gets_a_node_and_its_user(self):
        said = self.install(self.package)
        self.assertNotRegex(said.lower(), "warning|error")
        self.assertEqual(self.inside("dpkg-query -W -f '${db:Status-Status} ${Version}' eddy"), "installed " + self.version)
        for program in ("eddyd", "eddyctl"):
            self.assertIn(self.version, self.inside(program + " --version"))
        self.assertEqual(self.inside("dpkg --verify eddy"), "")
        for page in ("man1/eddyctl.1.gz", "man8/eddyd.8.gz"):
            self.assertIn(".TH EDDY", self.inside("zcat /usr/share/man/" + page))
        unit = self.inside("cat /lib/systemd/system/eddyd.service")
        user = self.inside("getent passwd eddy").strip().split(":")
        self.assertIn("User=%s\n" % user[0], unit)
        self.assertLess(int(user[2]), 1000)
        self.assertEqual(user[5:], ["/var/lib/eddy", "/usr/sbin/nologin"])
        self.assertEqual(self.inside("stat -c '%U %G %a' /var/lib/eddy").strip(), "eddy eddy 700")

    def test_the_node_runs_as_that_user_and_an_upgrade_leaves_it_running(self):
        self.install(self.package)
        must("docker", "exec", "-d", "--user", "eddy", "-e", "EDDY_NODE_DATA_DIR=/var/lib/eddy", self.container, "eddyd", "--config",
             CONFIG)
        harness.wait_until(lambda: run("docker", "exec", self.container, "eddyctl", "health").returncode == harness.OK,
                           "the node to be ready", 30)
        self.inside("eddyctl put greeting hello")
        self.install(self.later["1"])
        self.assertEqual(self.inside("eddyctl get greeting"), "hello")
        before = self.inside("ls -A /var/lib/eddy")
        self.assertNotEqual(before, "")
        self.inside("dpkg -P eddy 2>&1")
        self.assertEqual(self.inside("ls -A /var/lib/eddy"), before)

    def test_a_configuration_that_was_changed_is_kept_until_the_package_is_purged(self):
        self.install(self.package)
        self.install(self.later["1"])
        self.assertIn("# new in 1", self.inside("cat " + CONFIG), "nobody had changed it")
        self.inside("echo '# mine' >>%s" % CONFIG)
        # As one who answers the question with no, which is what Return does.
        self.install(self.later["2"], "--force-confdef", "--force-confold")
        self.assertIn("# mine", self.inside("cat " + CONFIG))
        self.assertIn("# new in 2", self.inside("cat %s.dpkg-dist" % CONFIG))
        self.inside("dpkg -r eddy 2>&1")
        self.assertFalse(self.there("/usr/bin/eddyd"))
        self.assertIn("# mine", self.inside("cat " + CONFIG))
        self.inside("dpkg -P eddy 2>&1")
        self.assertFalse(self.there("/etc/eddy"))
        self.assertEqual(self.inside("stat -c %U /var/lib/eddy").strip(), "eddy")
        self.install(self.package)
        self.assertNotIn("# mine", self.inside("cat " + CONFIG))


if __name__ == "__main__":
    unittest.main(verbosity=2)
