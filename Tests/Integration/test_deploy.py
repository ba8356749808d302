"""The systemd units: verified, scored, and run by a real systemd in a container."""

import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from harness import BACKBONE, BINARY, ROOT, Case, Server, have_privilege, patches, progress

DEPLOY = ROOT / "deploy"
UNITS = ["clserver.service", "clserver@.service"]


def run(*command, **options):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, **options)


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not there: apt-get install systemd")
class Units(Case):
    def test_they_verify(self):
        with tempfile.TemporaryDirectory() as folder:
            for unit in UNITS:
                text = (DEPLOY / unit).read_text().replace("/usr/local/bin/clserver", BINARY)
                name = unit.replace("@", "@one")
                path = pathlib.Path(folder, name)
                path.write_text(text)
                done = run("systemd-analyze", "verify", "--man=no", path)
                ours = [line for line in (done.stdout + done.stderr).splitlines() if "clserver" in line]
                self.assertEqual(ours, [])

    def test_they_are_hardened(self):
        for unit in UNITS:
            done = run("systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", DEPLOY / unit)
            self.assertEqual(done.returncode, 0, done.stdout[-500:] + done.stderr)
            score = float(re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)[1])
            self.assertLessEqual(score, 1.5)


class Notify(Case):
    """Type=notify without systemd: a socket in its place."""

    def test_ready_and_stopping_are_told(self):
        import socket

        folder = tempfile.mkdtemp(prefix="clserver-notify-")
        self.addCleanup(shutil.rmtree, folder)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(folder + "/socket")
            listener.settimeout(30)
            server = Server(environment={"NOTIFY_SOCKET": folder + "/socket"}).start()
            self.addCleanup(server.__exit__)
            told = listener.recv(4096).decode()
            while "READY=1" not in told:
                told = listener.recv(4096).decode()
            server.process.send_signal(signal.SIGTERM)
            while "STOPPING=1" not in told:
                told = listener.recv(4096).decode()
            self.assertEqual(server.terminate(), 0)


class Container:
    """A minimal Debian booted by systemd-nspawn; the root is kept in var/ so that it is made once."""

    def __init__(self):
        self.root = ROOT / "var/container"
        self.leader = None
        self.process = None

    def make(self):
        install = re.sub(r"\\\n\s*", "", (DEPLOY / "install.sh").read_text())
        libraries = re.search(r"apt-get install \S+ \S+ \S+ (.*?) </dev/null", install)[1].split()
        packages = ",".join(["systemd-sysv", "dbus", *libraries])
        stamp = self.root / "made-with"
        if not stamp.exists() or stamp.read_text() != packages:
            shutil.rmtree(self.root, ignore_errors=True)
            done = run("debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", self.root, timeout=400)
            if done.returncode:
                raise unittest.SkipTest(f"debootstrap failed: {done.stdout[-300:]}")
            stamp.write_text(packages)

    def boot(self):
        command = [
            "systemd-nspawn",
            "-D",
            str(self.root),
            "--register=no",
            "--keep-unit",
            "--boot",
            "--quiet",
            "--console=pipe",
            "--machine=clserver-test",
        ]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        os.set_blocking(self.process.stdout.fileno(), False)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise unittest.SkipTest(
                    f"systemd-nspawn cannot run here: {(self.process.stdout.read() or b'')[-400:]!r}"
                )
            children = run("pgrep", "-P", self.process.pid).stdout.split()
            if children:
                self.leader = children[0]
                state = self.inside("systemctl", "is-system-running", "--wait").stdout.strip()
                if state in ("running", "degraded"):
                    return
            time.sleep(0.3)
        raise unittest.SkipTest("systemd did not come up in the container")

    def inside(self, *command):
        return run("nsenter", "-t", self.leader, "-m", "-u", "-i", "-p", "--root", "--wd", "--", *command, timeout=120)

    def stop(self):
        if self.process and self.process.poll() is None:
            if self.leader:
                self.inside("systemctl", "poweroff")
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process:
            self.process.stdout.close()


@unittest.skipUnless(
    have_privilege() and shutil.which("debootstrap") and shutil.which("systemd-nspawn"),
    "needs root, debootstrap and systemd-container",
)
class UnderSystemd(Case):
    def test_it_installs_starts_restarts_and_keeps_what_it_was_taught(self):
        container = Container()
        container.make()
        environment = {**os.environ, "DESTDIR": str(container.root), "BINARY": BINARY, "BACKBONE": BACKBONE}
        done = run(DEPLOY / "install.sh", env=environment)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        configuration = container.root / "etc/clserver/clserver.conf"
        configuration.write_text(
            (DEPLOY / "clserver.conf").read_text().replace(":8080", ":18080") + "resolution = 64\n"
        )
        second = container.root / "etc/clserver/other.conf"
        second.write_text((DEPLOY / "clserver.conf").read_text().replace(":8080", ":18081") + "resolution = 64\n")
        shutil.rmtree(container.root / "var/lib/private", ignore_errors=True)
        try:
            container.boot()
            started = time.monotonic()
            for unit in ("clserver.service", "clserver@other.service"):
                done = container.inside("systemctl", "start", unit)
                self.assertEqual(done.returncode, 0, done.stderr + self.journal(container, unit))
            progress(f"both services were up after {time.monotonic() - started:.1f} s")

            server = Server()  # only its client: the process is systemd's, on the same network
            server.port = 18080
            task = server.taught(patches("red", 3, random.Random(1)) + patches("blue", 3, random.Random(2)), holdout=0)
            user = self.show(container, "MainPID")
            owner = (
                pathlib.Path(f"/proc/{self.outer(container, user)}").stat().st_uid
                if self.outer(container, user)
                else None
            )
            self.assertNotEqual(owner, 0, "runs as root")

            container.inside("systemctl", "kill", "-s", "KILL", "clserver.service")
            server.wait_up("/readyz", 30, lambda: self.journal(container, "clserver.service"))
            self.assertTrue(server.get(f"/tasks/{task['id']}").json()["serving"])
            done = container.inside("systemctl", "restart", "clserver.service")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertTrue(server.get(f"/tasks/{task['id']}").json()["serving"])
            server.port = 18081
            self.assertEqual(server.get("/tasks").json()["tasks"], [])
            done = container.inside("systemctl", "stop", "clserver.service", "clserver@other.service")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.show(container, "Result"), "success")
            self.assertEqual(self.show(container, "ExecMainStatus"), "0")
        finally:
            container.stop()

    def show(self, container, name):
        return container.inside("systemctl", "show", "-p", name, "--value", "clserver.service").stdout.strip()

    def journal(self, container, unit):
        return container.inside("journalctl", "--no-pager", "-n", "30", "-u", unit).stdout

    def outer(self, container, inner):
        """The process id out here of one inside."""
        for status in pathlib.Path("/proc").glob("[0-9]*/status"):
            try:
                if match := re.search(r"^NSpid:\s+(\d+)\s+(?:\d+\s+)*(\d+)$", status.read_text(), re.M):
                    if match[2] == inner and (status.parent / "comm").read_text().strip() == "clserver":
                        return match[1]
            except OSError:
                continue
        return None


if __name__ == "__main__":
    unittest.main()
