"""Every limit and deadline, over raw sockets where a client library would not send such a thing."""

import io
import json
import random
import re
import socket
import tarfile
import threading
import time

from harness import Case, Server, SharedServer, patch, patches, png_bomb, raw_exchange, status_of, tar_of, zip_of

HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"


class Grammar(SharedServer):
    """What must be refused with 400 and a closed connection, or another status where there is one."""

    def refused(self, data, *statuses):
        received = raw_exchange(self.server.port, data, timeout=5)
        self.assertIn(status_of(received), statuses, (data[:200], received[:300]))
        self.assertEqual(len(re.findall(rb"HTTP/1\.1 \d{3} ", received)), 1, "went on after a refusal")
        self.assertIn(b"connection: close", received.lower())

    def test_requests_that_do_not_parse(self):
        get = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
        follow = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        cases = {
            "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
            "two hosts": get + b"Host: y\r\n\r\n",
            "bare line feeds": b"GET /healthz HTTP/1.1\nHost: localhost\n\n",
            "a folded line": get + b"X: a\r\n b\r\n\r\n",
            "a space before the colon": get + b"X : a\r\n\r\n",
            "a field without a name": get + b": a\r\n\r\n",
            "a field without a colon": get + b"X\r\n\r\n",
            "a NUL in a value": get + b"X: a\0b\r\n\r\n",
            "no version": b"GET /healthz\r\n\r\n",
            "two spaces": b"GET  /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "a target without a slash": b"GET healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "a bad escape": b"GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 60 + b"\r\n\r\n",
            "two lengths": HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            "the same length twice": HEAD + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
            "a list of lengths": HEAD + b"Content-Length: 3, 3\r\n\r\nabc",
            "a signed length": HEAD + b"Content-Length: +3\r\n\r\nabc",
            "a hexadecimal length": HEAD + b"Content-Length: 0x3\r\n\r\nabc",
            "a length that overflows": HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n",
            "length and chunked": HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "chunked twice": HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            "a bad chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "a chunk size that overflows": HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
            "a chunk longer than its size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
            "a chunk ended by a line feed": HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n",
        }
        for name, data in cases.items():
            with self.subTest(name):
                self.refused(data + follow, 400, *((413,) if "overflow" in name else ()))
        self.refused(HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + follow, 501, 400)
        self.refused(b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n" + follow, 505)

    def test_another_expectation_is_417(self):
        received = raw_exchange(
            self.server.port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\nConnection: close\r\n\r\n"
        )
        self.assertEqual(status_of(received), 417)

    def test_what_is_allowed(self):
        follow = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        for data in (
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3,
            b"\r\nGET /healthz HTTP/1.1\r\nhost:localhost\r\n\r\n" * 3,
            b"GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3,
            b"GET /health%7A HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3,
        ):
            received = raw_exchange(self.server.port, data + follow)
            self.assertEqual(received.count(b"HTTP/1.1 200"), 4, (data, received))

    def test_head_and_options(self):
        received = raw_exchange(
            self.server.port, b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        head, _, body = received.partition(b"\r\n\r\n")
        self.assertEqual((status_of(head), body), (200, b""))
        self.assertIn(b"content-length:", head.lower())
        for target in ("/tasks", "*"):
            answer = self.server.request("OPTIONS", target)
            self.assertStatus(answer, (200, 204))
            self.assertIn("GET", answer.headers["Allow"])

    def test_expect_100_continue(self):
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=5) as connection:
            connection.sendall(HEAD + b"Content-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
            self.assertTrue(connection.recv(1000).startswith(b"HTTP/1.1 100"))
            connection.sendall(b"abc")
            self.assertIn(b"HTTP/1.1 ", connection.recv(10000))
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=5) as connection:
            connection.sendall(HEAD + b"Content-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n")
            self.assertEqual(status_of(connection.recv(10000)), 413)

    def test_a_chunked_body_is_taken_in_any_pieces(self):
        source = random.Random(4)
        image = patch("red", source)
        body = b""
        position = 0
        while position < len(image):
            size = source.randrange(1, 900)
            piece = image[position : position + size]
            body += b'%x;extension="a b"\r\n%b\r\n' % (len(piece), piece)
            position += size
        data = HEAD + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + body + b"0\r\nTrailer: x\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as connection:
            for start in range(0, len(data), 777):
                connection.sendall(data[start : start + 777])
                time.sleep(0.0005)
            self.assertEqual(status_of(connection.recv(100000)), 503)  # no class yet: the body was understood

    def test_head_over_the_limits(self):
        many = b"GET /healthz HTTP/1.1\r\nHost: [::1]\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(200)) + b"\r\n"
        self.refused(many, 431)
        self.refused(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 40000 + b"\r\n\r\n", 431)
        self.refused(b"GET /" + b"y" * 40000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, 431)
        endless = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20000
        self.refused(endless, 431)

    def test_random_bytes_never_end_the_server(self):
        source = random.Random(99)
        seeds = [
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ]
        for _ in range(300):
            data = bytearray(source.choice(seeds))
            for _ in range(source.randrange(1, 6)):
                data[source.randrange(len(data))] = source.randrange(256)
            raw_exchange(self.server.port, bytes(data), timeout=0.5, shut=True)
        self.assertStatus(self.server.get("/healthz"), 200)


class WebPages(SharedServer):
    """A browser on this machine must not use the server for the pages it shows."""

    def test_a_request_that_a_page_may_have_made_is_403(self):
        port = self.server.port
        cases = {
            "a form of another page": ({"Origin": "http://evil.example"}, "Origin"),
            "a page without an origin": ({"Origin": "null"}, "Origin"),
            "a page of another port": ({"Origin": "http://127.0.0.1:1"}, "Origin"),
            "a name that points here": ({"Host": f"evil.example:{port}"}, "Host"),
            "its own page": ({"Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"}, "Host"),
        }
        for name, (headers, field) in cases.items():
            with self.subTest(name):
                answer = self.server.request("POST", "/tasks", b"x", {"Content-Type": "text/plain", **headers})
                problem = self.assertProblem(answer, 403)
                self.assertEqual(problem["field"], field)
                self.assertTrue(problem["reason"])
                self.assertStatus(self.server.request("GET", "/tasks", headers=headers), 403)
        self.assertEqual(self.server.get("/tasks").json()["tasks"], [])

    def test_a_request_of_this_machine_is_taken(self):
        port = self.server.port
        for headers in (
            {"Host": f"localhost:{port}"},
            {"Host": f"[::1]:{port}"},
            {"Origin": f"http://127.0.0.1:{port}"},
        ):
            self.assertStatus(self.server.request("GET", "/tasks", headers=headers), 200)
        received = raw_exchange(port, b"GET /healthz HTTP/1.0\r\n\r\n")
        self.assertEqual(status_of(received), 200)


class Deadlines(Case):
    def test_a_slow_head_is_cut_off(self):
        with Server("--header-deadline-seconds", "1") as server:
            for drip in (b"GET /healthz HTTP/1.1\r\nX: ", b""):
                started = time.monotonic()
                with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
                    connection.sendall(b"G" if not drip else drip)
                    received = b""
                    while time.monotonic() - started < 8:
                        try:
                            connection.settimeout(0.2)
                            block = connection.recv(4096)
                            received += block
                            if not block:
                                break
                        except TimeoutError:
                            try:
                                connection.sendall(b"y")
                            except OSError:
                                break
                        except OSError:
                            break
                    self.assertLess(time.monotonic() - started, 4)
                    self.assertIn(status_of(received), (408, None))

    def test_a_body_below_the_minimum_rate_is_cut_off(self):
        with Server("--minimum-body-rate", "10000") as server:
            started = time.monotonic()
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
                connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
                connection.settimeout(0.25)
                received = b""
                while time.monotonic() - started < 25:
                    try:
                        connection.sendall(b"x" * 10)
                        received = connection.recv(4096)
                        break
                    except TimeoutError:
                        continue
                    except OSError:
                        break
                self.assertLess(time.monotonic() - started, 20)
                self.assertIn(status_of(received), (408, None))
            self.assertStatus(server.get("/healthz"), 200)

    def test_an_idle_connection_is_closed(self):
        with Server("--idle-timeout-seconds", "1") as server:
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertEqual(status_of(connection.recv(4096)), 200)
                started = time.monotonic()
                self.assertEqual(connection.recv(4096), b"")
                self.assertLess(time.monotonic() - started, 4)

    def test_a_reader_that_stops_reading_is_given_up(self):
        with Server("--write-timeout-seconds", "1") as server:
            with socket.socket() as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.settimeout(10)
                connection.connect(("127.0.0.1", server.port))
                request = b"GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n"
                try:
                    for _ in range(400):
                        connection.sendall(request)
                except OSError:
                    pass
                time.sleep(3)
                started = time.monotonic()
                try:
                    while connection.recv(1 << 20):
                        self.assertLess(time.monotonic() - started, 8)
                except ConnectionError:
                    pass
            self.assertStatus(server.get("/healthz"), 200)


class Sizes(Case):
    def test_a_refused_body_is_dropped_whatever_the_route_before_allows(self):
        with Server("--other-body-bytes", "2KiB") as server:
            get = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
            body = b"POST /none HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000\r\n\r\n" + b"x" * 3000
            received = raw_exchange(server.port, get + b"\r\n" + body + get + b"Connection: close\r\n\r\n")
            self.assertEqual(re.findall(rb"HTTP/1\.1 (\d{3}) ", received), [b"200", b"404", b"200"])

    def test_connections_that_the_process_may_not_open_are_not_promised(self):
        with Server("--maximum-connections", "500", limit=100) as server:
            self.assertIn("maximum_connections=500 rlimit_nofile=100 used=36", server.log())
        # The soft limit alone is no bound.
        with Server("--maximum-connections", "500", limit=(100, 1000)) as server:
            self.assertNotIn("rlimit_nofile", server.log())
            held = [socket.create_connection(("127.0.0.1", server.port), timeout=3) for _ in range(300)]
            for connection in held:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertEqual(status_of(connection.recv(4096)), 200)
            for connection in held:
                connection.close()

    def test_connections_over_the_limit_are_refused_and_others_go_on(self):
        with Server("--maximum-connections", "20") as server:
            held = [socket.create_connection(("127.0.0.1", server.port), timeout=3) for _ in range(40)]
            try:
                answered = refused = 0
                for connection in held:
                    try:
                        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                        status = status_of(connection.recv(4096))
                    except OSError:
                        status = None
                    answered += status == 200
                    refused += status in (503, None)
                self.assertLessEqual(answered, 20)
                self.assertGreaterEqual(answered, 15)
                self.assertEqual(answered + refused, 40)
            finally:
                for connection in held:
                    connection.close()
            server.wait_up("/healthz", 5)

    def test_a_body_over_the_limit_of_its_route(self):
        flags = (
            "--predict-body-bytes",
            "20000",
            "--task-body-bytes",
            "50000",
            "--other-body-bytes",
            "2000",
            "--maximum-item-bytes",
            "20000",
        )
        with Server(*flags) as server:
            for target, kind, limit in (
                ("/predict", "application/octet-stream", 20000),
                ("/tasks", "application/x-tar", 50000),
            ):
                problem = self.assertProblem(
                    server.request("POST", target, b"x" * (limit + 1), {"Content-Type": kind}), 413
                )
                self.assertEqual(problem.get("limit"), limit, problem)
                self.assertTrue(problem.get("setting"), problem)
                chunked = HEAD.replace(b"/predict", target.encode()) + b"Transfer-Encoding: chunked\r\n\r\n"
                chunked += (b"1000\r\n" + b"x" * 4096 + b"\r\n") * 20 + b"0\r\n\r\n"
                self.assertEqual(status_of(raw_exchange(server.port, chunked)), 413)
            self.assertProblem(server.send_json("PATCH", "/classes/1", {"name": "x" * 3000}), 413)

    def test_json_nested_too_deep(self):
        with Server() as server:
            for text in ("[" * 100000, '{"a":' * 5000 + "1" + "}" * 5000, '{"examples":' + "[" * 40 + "]" * 40 + "}"):
                self.assertProblem(
                    server.request("POST", "/tasks", text, {"Content-Type": "application/json"}), (400, 413, 422)
                )
            self.assertStatus(server.get("/healthz"), 200)

    def test_a_decompression_bomb_of_an_image_is_refused_by_its_header(self):
        with Server() as server:
            bomb = png_bomb(20000, 20000)
            self.assertLess(len(bomb), 100_000)
            started = time.monotonic()
            answer = server.teach([("a", bomb), ("a", patch("red", random.Random(1)))], form="json", holdout=0)
            self.assertStatus(answer, 202)
            self.assertEqual([item["index"] for item in answer.json()["rejected"]], [0])
            self.assertIn("pixels", answer.json()["rejected"][0]["reason"])
            server.wait_ready(answer.json()["id"])
            self.assertProblem(server.predict(bomb), (400, 413, 422))
            self.assertLess(time.monotonic() - started, 20)
            self.assertLess(server.resident_bytes(), 700 * 2**20)

    def test_archives_that_unpack_to_too_much_or_too_many(self):
        flags = ("--maximum-unpacked-bytes", "2MiB", "--maximum-item-bytes", "1MiB", "--maximum-items", "50")
        with Server(*flags) as server:
            image = patch("red", random.Random(1))
            many = tar_of([(f"a/{i}.png", image) for i in range(60)])
            self.assertProblem(
                server.request("POST", "/tasks", many, {"Content-Type": "application/x-tar"}), (413, 422)
            )
            bomb = zip_of([(f"a/{i}.png", b"\0" * 1_000_000) for i in range(10)])
            self.assertLess(len(bomb), 50_000)
            self.assertProblem(server.request("POST", "/tasks", bomb, {"Content-Type": "application/zip"}), (413, 422))
            large = zip_of([("a/big.png", b"\0" * 1_500_000), ("a/ok.png", image)])
            answer = server.request("POST", "/tasks?holdout=0", large, {"Content-Type": "application/zip"})
            self.assertStatus(answer, (202, 413))
            if answer.status == 202:
                self.assertEqual([r["name"] for r in answer.json()["rejected"]], ["a/big.png"])

    def test_paths_that_leave_the_archive_links_and_devices_are_not_followed(self):
        image = patch("red", random.Random(2))
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            for name in ("../escape/1.png", "/etc/2.png", "ok/../../3.png", "ok/fine.png"):
                entry = tarfile.TarInfo(name)
                entry.size = len(image)
                archive.addfile(entry, io.BytesIO(image))
            for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
                entry = tarfile.TarInfo(f"ok/special{kind.decode()}.png")
                entry.type = kind
                entry.linkname = "/etc/passwd"
                archive.addfile(entry)
        with Server() as server:
            answer = server.request("POST", "/tasks?holdout=0", out.getvalue(), {"Content-Type": "application/x-tar"})
            self.assertStatus(answer, (202, 400, 422))
            if answer.status == 202:
                classes = [c["name"] for c in server.wait_ready(answer.json()["id"])["classes"]]
                self.assertEqual(classes, ["ok"])
                listed = server.get(f"/tasks/{answer.json()['id']}/examples").json()["examples"]
                self.assertEqual(len(listed), 1)

    def test_a_full_prediction_queue_answers_503_with_retry_after(self):
        source = random.Random(3)
        with Server("--predict-queue", "4", "--predict-inputs", "4", "--threads", "1", resolution=224) as server:
            server.taught(patches("red", 2, source) + patches("blue", 2, source), holdout=0)
            image = patch("red", source)
            answers = []
            threads = [threading.Thread(target=lambda: answers.append(server.predict(image))) for _ in range(24)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            statuses = {answer.status for answer in answers}
            self.assertLessEqual(statuses, {200, 503})
            self.assertEqual(statuses, {200, 503}, "24 requests at once never filled a queue of 4")
            refused = next(answer for answer in answers if answer.status == 503)
            self.assertProblem(refused, 503)
            self.assertGreaterEqual(int(refused.headers["Retry-After"]), 0)

    def test_a_request_of_too_many_inputs(self):
        with Server("--predict-inputs", "3") as server:
            value = {"inputs": [{"data": "aGVsbG8="}] * 4}
            problem = self.assertProblem(server.send_json("POST", "/predict", value), (413, 422))
            self.assertIn("3", json.dumps(problem))


if __name__ == "__main__":
    import unittest

    unittest.main()
