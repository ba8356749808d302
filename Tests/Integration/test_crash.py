"""A short run of crash.py. The whole run: `crash.py --kills 200`."""

import crash
from harness import Case


class Crash(Case):
    def test_twenty_kills(self):
        result = crash.run(20, seed=20)
        self.assertEqual(result["failures"], [])
        self.assertGreater(result["acknowledged"], 20)


if __name__ == "__main__":
    import unittest

    unittest.main()
