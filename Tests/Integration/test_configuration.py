"""File, environment, flags: which wins, and how a mistake is told."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from harness import BACKBONE, BINARY, Case, ROOT, Server


def run(*arguments, **environment):
    base = {k: v for k, v in os.environ.items() if not k.startswith("CLSERVER_")}
    return subprocess.run(
        [BINARY, *arguments], env={**base, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


class Configuration(Case):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="clserver-conf-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def file(self, text):
        path = self.folder / "clserver.conf"
        path.write_text(text)
        return str(path)

    def assertRefused(self, done, *words):
        self.assertEqual(done.returncode, 2, done)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertNotIn("Fatal error", done.stderr)

    def test_flags_win_over_the_environment_and_that_over_the_file(self):
        path = self.file("threads = 1\njson_depth = 11\ntop_k_default = 3\n")
        done = run("config", "--config", path, "--threads", "3", CLSERVER_THREADS="2", CLSERVER_JSON_DEPTH="12")
        self.assertEqual(done.returncode, 0, done.stderr)
        values = {
            line.split("=")[0].strip(): line.split("=", 1)[1].split("#")[0].strip()
            for line in done.stdout.splitlines()
            if "=" in line and not line.startswith("#")
        }
        self.assertEqual((values["threads"], values["json_depth"], values["top_k_default"]), ("3", "12", "3"))

    def test_mistakes_are_told_with_their_place(self):
        self.assertRefused(
            run("serve", "--config", self.file("# one\nthread = 2\n")), "clserver.conf:2", "thread", "threads"
        )
        self.assertRefused(run("serve", CLSERVER_LISTN="x"), "CLSERVER_LISTN", "CLSERVER_LISTEN")
        self.assertRefused(run("serve", "--tread", "1"), "--tread")
        self.assertRefused(run("serve", "--threads", "many"), "--threads", "many")
        self.assertRefused(run("serve", "--config", self.file("holdout = 3\n")), "clserver.conf:1", "holdout")
        self.assertRefused(run("serve", "--config", str(self.folder / "none.conf")), "none.conf")
        self.assertRefused(run("serve", "--config", self.file("threads\n")), "clserver.conf:1")
        self.assertRefused(run("serve", "--config", self.file("threads = 1\nthreads = 2\n")), "twice")
        self.assertRefused(run("nonsense"), "nonsense")
        self.assertRefused(run(), "COMMAND")

    def test_what_only_shows_at_the_start_is_told_too(self):
        state = str(self.folder / "state")
        cases = [
            ("a backbone that is not there", ["--backbone", str(self.folder / "none"), "--state", state], "none"),
            (
                "a resolution that is no multiple of the patch",
                ["--backbone", BACKBONE, "--state", state, "--resolution", "100"],
                "100",
            ),
            ("a state that is a file", ["--backbone", BACKBONE, "--state", self.file("x")], "clserver.conf"),
        ]
        for name, flags, word in cases:
            with self.subTest(name):
                done = run("serve", "--listen", "127.0.0.1:0", *flags)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(word, done.stderr)
                self.assertNotIn("Fatal error", done.stderr)

    def test_an_address_that_is_taken_is_told(self):
        with Server() as server:
            done = run(
                "serve",
                "--listen",
                f"127.0.0.1:{server.port}",
                "--state",
                str(self.folder / "s"),
                "--backbone",
                BACKBONE,
            )
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(str(server.port), done.stderr)

    def test_another_address_than_loopback_needs_a_key(self):
        done = run("serve", "--listen", "0.0.0.0:0", "--state", str(self.folder / "s"), "--backbone", BACKBONE)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("key", done.stderr.lower())

    def test_a_backbone_whose_weights_were_changed_is_refused_or_told(self):
        copy = self.folder / "backbone"
        copy.mkdir()
        for path in pathlib.Path(BACKBONE).iterdir():
            if path.name != "model.safetensors":
                shutil.copy(path, copy)
        data = pathlib.Path(BACKBONE, "model.safetensors").read_bytes()
        for name, damaged in (("cut", data[: len(data) // 2]), ("no header", b"\xff" * 64 + data[64:]), ("empty", b"")):
            with self.subTest(name):
                (copy / "model.safetensors").write_bytes(damaged)
                done = run(
                    "serve", "--listen", "127.0.0.1:0", "--state", str(self.folder / "s"), "--backbone", str(copy)
                )
                self.assertNotEqual(done.returncode, 0)
                self.assertRegex(done.stderr, "weights|safetensors")
                self.assertNotIn("Fatal error", done.stderr)

    def test_version_and_help(self):
        self.assertRegex(run("--version").stdout, r"^clserver \d+\.\d+")
        self.assertIn("serve", run("--help").stdout)
        self.assertIn("--listen", run("serve", "--help").stdout)

    def test_the_reference_in_docs_is_what_the_program_says(self):
        described = run("config", "--describe").stdout
        self.assertIn(described.strip(), (ROOT / "docs/configuration.md").read_text())

    def test_the_example_file_is_accepted(self):
        done = run("config", "--config", str(ROOT / "deploy/clserver.conf"))
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    import unittest

    unittest.main()
