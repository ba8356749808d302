"""SIGTERM: what was taken is answered, nothing new is, and the process ends with 0."""

import random
import signal
import socket
import threading
import time

from harness import Case, Server, patch, patches


class Drain(Case):
    def test_requests_in_progress_are_answered(self):
        source = random.Random(15)
        server = Server(resolution=224).start()
        self.addCleanup(server.__exit__)
        server.taught(patches("red", 3, source) + patches("blue", 3, source), holdout=0)
        image = patch("red", source)
        answers, faults = [], []

        def ask():
            try:
                answers.append(server.predict(image).status)
            except OSError as fault:
                faults.append(fault)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(0.05)
        server.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        self.assertEqual(server.process.wait(30), 0, server.log())
        # A connection that was not accepted yet may be reset; one that was is answered.
        self.assertEqual(set(answers) - {200, 503}, set())
        self.assertGreaterEqual(answers.count(200), 6, (answers, faults))

    def test_idle_connections_do_not_delay_the_end(self):
        server = Server().start()
        self.addCleanup(server.__exit__)
        held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
        held[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        held[0].recv(1000)
        started = time.monotonic()
        self.assertEqual(server.terminate(), 0)
        self.assertLess(time.monotonic() - started, 5)
        for connection in held:
            connection.close()

    def test_a_task_in_progress_resumes_after_the_restart(self):
        source = random.Random(16)
        server = Server().start()
        self.addCleanup(server.__exit__)
        answer = server.teach([e for c in ("red", "blue") for e in patches(c, 150, source)], holdout=0)
        self.assertStatus(answer, 202)
        started = time.monotonic()
        self.assertEqual(server.terminate(), 0)
        self.assertLess(time.monotonic() - started, 35)
        server.start()
        task = server.wait_ready(answer.json()["id"])
        self.assertEqual(sum(c["examples"] for c in task["classes"]), 300)

    def test_a_second_signal_ends_it_at_once(self):
        server = Server("--drain-timeout-seconds", "60").start()
        self.addCleanup(server.__exit__)
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
            time.sleep(0.2)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(5)


if __name__ == "__main__":
    import unittest

    unittest.main()
