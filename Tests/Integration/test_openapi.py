"""openapi.yaml is valid, is what the server serves, and the server behaves as it says (schemathesis)."""

import os
import pathlib
import random
import subprocess
import sys
import unittest

from harness import ROOT, Case, Server, patches, progress

BESIDE = pathlib.Path(sys.executable).parent


class Description(Case):
    def test_it_validates(self):
        from openapi_spec_validator import validate
        from yaml import safe_load

        validate(safe_load((ROOT / "openapi.yaml").read_text("utf-8")))

    def test_the_server_serves_it_and_has_each_of_its_routes(self):
        from yaml import safe_load

        text = (ROOT / "openapi.yaml").read_bytes()
        with Server() as server:
            self.assertEqual(server.get("/openapi.yaml").body, text)
            for path, item in safe_load(text)["paths"].items():
                target = path.replace("{id}", "1")
                allowed = server.request("OPTIONS", target).headers["Allow"]
                described = {m.upper() for m in item} & {"GET", "POST", "PATCH", "DELETE", "PUT"}
                served = {m.strip() for m in allowed.split(",")} - {"HEAD", "OPTIONS"}
                self.assertEqual(described, served, path)

    @unittest.skipUnless((BESIDE / "schemathesis").exists(), "schemathesis is not there: make python")
    def test_schemathesis_finds_no_violation(self):
        source = random.Random(18)
        with Server() as server:
            server.taught([e for c in ("red", "blue") for e in patches(c, 6, source)], name="colours")
            done = subprocess.run(
                [
                    str(BESIDE / "schemathesis"),
                    "--config-file",
                    str(ROOT / "Tests/Integration/schemathesis.toml"),
                    "run",
                    str(ROOT / "openapi.yaml"),
                    "--url",
                    server.base,
                    "--max-examples",
                    os.environ.get("SCHEMATHESIS_EXAMPLES", "25"),
                    "--seed",
                    "1",
                ],
                cwd=server.state,
                capture_output=True,
                text=True,
                timeout=900,
                check=False,
            )
            progress("\n".join(done.stdout.splitlines()[-12:]))
            self.assertEqual(done.returncode, 0, done.stdout[-12000:] + done.stderr[-2000:])
            self.assertStatus(server.get("/healthz"), 200)


if __name__ == "__main__":
    unittest.main()
