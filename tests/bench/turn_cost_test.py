"""A coordinator's turn stays as cheap as it is: instructions, counted by valgrind, as a multiple of those of a loop that
does what any program does. No time is measured."""

import os
import re
import subprocess
import unittest

TURNS = os.path.join(os.environ["EDDY_BIN"], "eddy-turns")
# A tenth more than when they were last made cheaper; whoever makes them so again lowers these.
PUT_MAX, GET_MAX = 7.2, 6.4


def instructions(kind, count):
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", TURNS, kind, str(count)],
                          capture_output=True, text=True, timeout=200)
    if done.returncode != 0:
        raise AssertionError(done.stderr[-2000:])
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def cost(kind):
    """Of one turn, whatever starting costs."""
    return (instructions(kind, 4000) - instructions(kind, 2000)) / 2000


class TurnCost(unittest.TestCase):
    def test_a_turn_costs_no_more_than_it_did(self):
        reference = cost("reference")
        self.assertGreater(reference, 500)
        for kind, most in (("put", PUT_MAX), ("get", GET_MAX)):
            ratio = cost(kind) / reference
            print("%s: %.0f instructions, %.2f times the reference" % (kind, ratio * reference, ratio))
            self.assertLess(ratio, most)
            # If it were this little, nothing was done.
            self.assertGreater(ratio, 1)

    def test_usage(self):
        for words in ([], ["put"], ["put", "x"], ["put", "0"], ["post", "3"]):
            done = subprocess.run([TURNS, *words], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2)
            self.assertIn("put|get|reference", done.stderr)


if __name__ == "__main__":
    unittest.main()
