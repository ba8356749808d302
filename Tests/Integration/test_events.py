"""GET /tasks/{id}/events: server-sent events, and taking them up again with Last-Event-ID."""

import json
import random
import socket
import time

from harness import SharedServer, patches


def events(server, task, after=None, timeout=60):
    """All events until the server ends the stream, as (id, kind, data); progress is not stored and has no id."""
    head = f"GET /tasks/{task}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nConnection: close\r\n"
    head += f"Last-Event-ID: {after}\r\n\r\n" if after is not None else "\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout) as connection:
        connection.sendall(head.encode())
        received = b""
        while block := connection.recv(65536):
            received += block
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"200" in head.split(b"\r\n")[0] and b"text/event-stream" in head.lower(), head
    if b"chunked" in head.lower():
        body = dechunk(body)
    found = []
    for block in body.decode().replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
        if "data" in fields:
            found.append((int(fields.get("id", 0)), fields["event"], json.loads(fields["data"])))
    return found


def dechunk(body):
    out = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        size = int(size, 16)
        if size == 0:
            break
        out, body = out + body[:size], body[size + 2 :]
    return out


class Events(SharedServer):
    def test_a_stream_tells_the_whole_story_and_ends(self):
        source = random.Random(8)
        answer = self.server.teach([e for c in ("red", "blue") for e in patches(c, 60, source)], name="live")
        task = answer.json()["id"]
        live = events(self.server, task)
        ids = [event[0] for event in live if event[1] != "progress"]
        self.assertEqual(ids, sorted(set(ids)))
        self.assertEqual(self.server.get(f"/tasks/{task}").json()["state"], "ready")
        self.assertIn("ready", json.dumps(live[-1]))

        afterwards = events(self.server, task)
        self.assertIn("ready", json.dumps(afterwards[-1]))
        stored = [event[0] for event in afterwards]
        for index in range(len(stored)):
            rest = events(self.server, task, after=stored[index])
            self.assertEqual([event[0] for event in rest], stored[index + 1 :])

    def test_a_wrong_last_event_id_is_refused_or_ignored(self):
        task = self.server.taught(patches("green", 5, random.Random(9)), name="green")["id"]
        answer = self.server.get(f"/tasks/{task}/events", Last_Event_ID="x")
        self.assertStatus(answer, (200, 400))

    def test_readers_that_leave_cost_nothing(self):
        slow = [e for c in ("violet", "cyan") for e in patches(c, 80, random.Random(10))]
        task = self.server.teach(slow, name="left").json()["id"]
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", self.server.port), timeout=5) as connection:
                connection.sendall(f"GET /tasks/{task}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                connection.recv(100)
        started = time.monotonic()
        self.assertStatus(self.server.get("/healthz"), 200)
        self.assertLess(time.monotonic() - started, 1)
        self.server.wait_ready(task)


if __name__ == "__main__":
    import unittest

    unittest.main()
