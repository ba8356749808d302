"""A full disk and a directory that cannot be written: a clear problem, no corruption, and it works again afterwards."""

import contextlib
import os
import pathlib
import random
import subprocess
import tempfile
import unittest

import crash
from harness import Case, Server, have_privilege, patch, patches, png


class SmallDisk:
    """A tmpfs of a few megabytes; skips the test where mounting is refused."""

    def __init__(self, size, options=""):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="clserver-disk-"))
        self.mounted = False
        self.size, self.options = size, options

    def __enter__(self):
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={self.size}{self.options}", "tmpfs", str(self.path)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            os.rmdir(self.path)
            raise unittest.SkipTest(f"mounting a small disk is refused here: {done.stderr.strip()}")
        self.mounted = True
        return self

    def remount(self, option):
        done = subprocess.run(
            ["mount", "-o", f"remount,{option}", str(self.path)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise unittest.SkipTest(f"remounting is refused here: {done.stderr.strip()}")

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", str(self.path)], check=False)
        os.rmdir(self.path)


@unittest.skipUnless(have_privilege(), "mounting needs root")
class StorageFaults(Case):
    def noise(self, label, count, source):
        return [(label, png(96, 96, source.randbytes(96 * 96 * 3))) for _ in range(count)]

    @contextlib.contextmanager
    def taught_server(self, disk, source):
        """A server with its state on the disk and its log elsewhere, which knows red and blue; and a red patch."""
        state = disk.path / "state"
        state.mkdir()
        server = Server(state=state, log=tempfile.mktemp(prefix="clserver-log-"))
        self.addCleanup(lambda: pathlib.Path(server.log_path).unlink(missing_ok=True))
        with server:
            server.taught(patches("red", 5, source) + patches("blue", 5, source), name="kept")
            yield server, patch("red", source)

    def assertSound(self, state):
        failures = []
        crash.check_database(state, failures)
        self.assertEqual(failures, [])

    def test_a_full_disk_is_told_and_nothing_is_lost(self):
        source = random.Random(13)
        with SmallDisk("24m") as disk, self.taught_server(disk, source) as (server, probe):
            before = server.predict(probe).json()["label"]
            filler = disk.path / "filler"
            refused = None
            with open(filler, "wb") as file:
                try:
                    while True:
                        file.write(b"\0" * 65536)
                        file.flush()
                except OSError:
                    pass
            for number in range(8):
                answer = server.teach(self.noise(f"n{number}", 20, source), name=f"n{number}")
                if answer.status != 202:
                    refused = answer
                    break
            self.assertIsNotNone(refused, "a full disk took eight tasks")
            problem = self.assertProblem(refused, (503, 507))
            self.assertTrue(problem["detail"])
            self.assertStatus(server.get("/healthz"), 200)
            self.assertEqual(server.predict(probe).json()["label"], before)
            self.assertStatus(server.get("/tasks"), 200)
            names = [task["name"] for task in server.get("/tasks").json()["tasks"]]
            self.assertNotIn(f"n{number}", names)

            filler.unlink()
            again = server.teach(self.noise("again", 5, source), name="again")
            self.assertStatus(again, 202)
            server.wait_ready(again.json()["id"])
            server.kill()
            self.assertSound(server.state)
            server.start()
            self.assertEqual(server.predict(probe).json()["label"] in (before, "again"), True)
            server.kill()

    def test_a_disk_that_becomes_read_only_is_told_and_works_again(self):
        source = random.Random(14)
        with SmallDisk("64m") as disk, self.taught_server(disk, source) as (server, probe):
            # Files open for writing forbid a read-only remount; a full disk of no free space is the other test.
            try:
                disk.remount("ro")
            except unittest.SkipTest:
                server.kill()
                disk.remount("ro")
                with self.assertRaises(AssertionError) as refused:
                    server.start()
                self.assertRegex(str(refused.exception), r"(?i)read.?only|cannot be written|not writable")
                disk.remount("rw")
                server.start()
                self.assertEqual(server.predict(probe).json()["label"], "red")
                server.taught(patches("green", 5, source), name="after")
                server.kill()
                self.assertSound(server.state)
                return
            problem = self.assertProblem(server.teach(patches("green", 5, source), name="green"), (503, 507))
            self.assertTrue(problem["detail"])
            self.assertEqual(server.predict(probe).json()["label"], "red")
            disk.remount("rw")
            server.taught(patches("green", 5, source), name="green")
            server.kill()
            self.assertSound(server.state)


class DamagedState(Case):
    def start_fails(self, state):
        server = Server(state=state)
        self.addCleanup(server.kill)
        with self.assertRaises(AssertionError) as refused:
            server.start(timeout=20)
        self.assertIn("ended with", str(refused.exception))
        return str(refused.exception)

    def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(self):
        with Server() as server:
            server.taught(patches("red", 3, random.Random(1)), holdout=0)
            server.kill()
            database = next(p for p in server.state.iterdir() if p.read_bytes()[:6] == b"SQLite")
            for extra in server.state.glob(database.name + "-*"):
                extra.unlink()
            database.write_bytes(b"this is no database " * 500)
            self.assertRegex(self.start_fails(server.state), "(?i)database")
            self.assertTrue(database.read_bytes().startswith(b"this is no database"))

    def test_two_servers_on_one_state_are_refused(self):
        with Server() as server:
            self.assertRegex(self.start_fails(server.state), "(?i)(another|in use|lock|already)")
            self.assertStatus(server.get("/healthz"), 200)


if __name__ == "__main__":
    unittest.main()
