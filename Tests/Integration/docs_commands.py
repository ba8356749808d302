"""Runs the commands of the documentation against a live server.

Every ```sh block of a page that calls `curl` or `clserver` (but not `make` or `systemctl`) is run, in order and in one
folder, with the server's address in place of http://127.0.0.1:8080. A curl whose answer is not 2xx fails, unless the
line before it says `# answers STATUS`. A block that starts with `# not run` is left out.
"""

import os
import pathlib
import re
import subprocess
import tempfile

from harness import BINARY

SHIM = """#!/bin/bash
# Fails on an answer of 400 and over, unless EXPECT names the status.
if [ -z "${EXPECT:-}" ]; then exec /usr/bin/curl --fail-with-body -sS "$@"; fi
status=$(mktemp)
/usr/bin/curl -sS -w '%{stderr}%{http_code}' "$@" 2>"$status"
[ "$(cat "$status")" = "$EXPECT" ] || { echo "answered $(cat "$status"), not $EXPECT" >&2; exit 22; }
"""


def blocks(page):
    """[(line, text)] of the blocks to run."""
    text = page.read_text("utf-8")
    found = []
    for match in re.finditer(r"^```sh\n(.*?)^```$", text, re.M | re.S):
        block = match[1]
        if re.search(r"\b(curl|clserver)\b", block) and not re.search(
            r"^(# not run|.*\b(make|systemctl)\b)", block, re.M
        ):
            found.append((text[: match.start()].count("\n") + 2, block))
    return found


def run(page, server, folder):
    """Runs the blocks of one page; returns [(line, text, fault or None)]."""
    results = []
    shims = pathlib.Path(tempfile.mkdtemp(prefix="clserver-docs-"))
    (shims / "curl").write_text(SHIM)
    (shims / "curl").chmod(0o755)
    (shims / "clserver").symlink_to(BINARY)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CLSERVER_")}
    environment.update(PATH=f"{shims}:{environment['PATH']}", CLSERVER_SERVER=server.base)
    for line, block in blocks(page):
        script = block.replace("http://127.0.0.1:8080", server.base)
        script = re.sub(r"^# answers (\d{3})[^\n]*\n(?=[^\n]*curl)", r"EXPECT=\1 ", script, flags=re.M)
        script = re.sub(r"\.build/release/clserver", BINARY, script)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env=environment,
            text=True,
            capture_output=True,
            timeout=300,
            check=False,
        )
        fault = (
            None if done.returncode == 0 else f"exit {done.returncode}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
        )
        results.append((line, block, fault))
    return results
