"""A short run of load.py: health answers at once and predictions go first while a task embeds; memory is bounded.

The goals with their full numbers are checked by `make bench`; here the bounds are loose, for a machine that shares its
cores with the client.
"""

import load
from harness import Case, progress


class Load(Case):
    def test_a_task_that_embeds_does_not_starve_predictions(self):
        result = load.run(resolution=160, predictions=300, stored=60, task=80, idle=150)
        progress(load.table(result))
        self.assertLess(result["embedding"]["healthz"]["p99_ms"], 50)
        self.assertLess(result["p99_ratio"], 4)
        self.assertLess(result["resident_mb_after"]["300"], 400)


if __name__ == "__main__":
    import unittest

    unittest.main()
