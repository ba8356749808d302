"""GET /metrics: Prometheus accepts it, and it counts what happened."""

import random
import re
import shutil
import subprocess
import unittest

from harness import Case, Server, patch, patches


class Metrics(Case):
    @unittest.skipUnless(shutil.which("promtool"), "promtool is not there: apt-get install prometheus")
    def test_promtool_accepts_them(self):
        source = random.Random(17)
        with Server() as server:
            for _ in range(2):
                answer = self.assertStatus(server.get("/metrics"), 200)
                self.assertEqual(answer.headers.get_content_type(), "text/plain")
                done = subprocess.run(
                    ["promtool", "check", "metrics"], input=answer.body, capture_output=True, check=False
                )
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
                server.taught(patches("red", 3, source) + patches("blue", 3, source), holdout=0, extend="true")
                for _ in range(3):
                    server.predict(patch("red", source))
                server.get("/nothing")

    def test_requests_are_counted_by_route_and_status(self):
        with Server() as server:
            total = lambda: sum(
                float(v)
                for v in re.findall(
                    rb'^clserver_http_requests_total\{[^}]*route="/healthz"[^}]*\} (\S+)$',
                    server.get("/metrics").body,
                    re.M,
                )
            )
            before = total()
            for _ in range(5):
                server.get("/healthz")
            self.assertEqual(total() - before, 5)


if __name__ == "__main__":
    unittest.main()
