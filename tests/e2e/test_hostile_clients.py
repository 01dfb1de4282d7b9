"""Clients that mean harm, over the real socket. Meanwhile the daemon answers others, and its memory stays bounded."""
import contextlib
import json
import os
import pathlib
import resource
import select
import signal
import socket
import subprocess
import unittest

import harness

CONNECTIONS = 1024  # limits::kHttpConnections
BODY_BYTES = 32 << 20  # limits::kHttpBodyBytes
GROWTH_KIB = 400 << 10  # the bodies in flight (256 MiB) and some room
GET = b"GET /v1/info HTTP/1.1\r\nHost: x\r\n\r\n"
NEEDED = 4096


class Clients(harness.TestCase):
    seconds = 180

    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < NEEDED:
            self.skipTest(f"needs {NEEDED} descriptors, the hard limit is {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, NEEDED), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.box.env |= {"MALLOC_PERTURB_": "165", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}  # what is freed is overwritten
        self.daemon = self.box.start()
        self.before = self.peak()

    def peak(self):
        """The most memory that the daemon ever had, in KiB."""
        with open(f"/proc/{self.daemon.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(60)
        client.connect(str(self.box.state / "baton.sock"))
        self.addCleanup(client.close)
        return client

    def answer(self, data, half_close=False, end=b"\r\n\r\n"):
        """What the daemon says to these bytes until it ends the connection or has said `end`."""
        client = self.connect()
        try:
            client.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        if half_close:
            client.shutdown(socket.SHUT_WR)
        said = b""
        while end not in said:
            try:
                piece = client.recv(65536)
            except ConnectionResetError:
                break
            if not piece:
                break
            said += piece
        client.close()
        return said

    def status(self, data):
        said = self.answer(data)
        self.assertTrue(said.startswith(b"HTTP/1.1 "), said)
        return int(said.split()[1])

    def assert_well(self):
        """Another client lists and runs as ever, the daemon is the same process and has not grown beyond bounds."""
        self.box.baton("ls", check=0)
        path = self.box.write("well.yaml", "tasks: {t: {command: [\"true\"]}}\n")
        self.box.baton("run", path, check=0)
        self.assertIsNone(self.daemon.process.poll())
        if "ASAN_OPTIONS" not in os.environ:
            self.assertLess(self.peak() - self.before, GROWTH_KIB)


class HostileClients(Clients):
    def test_byte_by_byte_and_silent(self):
        silent = [self.connect() for _ in range(100)]
        slow = self.connect()
        for i in range(len(GET)):
            slow.send(GET[i:i + 1])
            if i == len(GET) // 2:
                self.assert_well()
        self.assertTrue(slow.recv(65536).startswith(b"HTTP/1.1 200"))
        del silent

    def test_garbage_and_wrong_requests(self):
        for data in (b"\0" * 1000, bytes(range(256)) * 10, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET\r\n\r\n"):
            said = self.answer(data, half_close=True)
            self.assertTrue(said == b"" or said.startswith(b"HTTP/1.1 4"), said[:80])
        self.assertEqual(self.status(b"DELETE /v1/runs HTTP/1.1\r\n\r\n"), 405)
        self.assertEqual(self.status(b"POST /v1/info HTTP/1.1\r\n\r\n"), 405)
        for path in (b"/v1/%2e%2e/%2e%2e/etc/passwd", b"/v1/../v1/info", b"//v1/info", b"/v1/%2569nfo", b"/V1/info"):
            self.assertEqual(self.status(b"GET " + path + b" HTTP/1.1\r\n\r\n"), 404, path)
        for path in (b"/v1/runs/%00", b"/v1/runs/%", b"/v1/runs/%c0%af"):
            self.assertEqual(self.status(b"GET " + path + b" HTTP/1.1\r\n\r\n"), 400, path)
        self.assertEqual(self.status(b"GET /v1/runs/%252e%252e HTTP/1.1\r\n\r\n"), 404)
        self.assert_well()

    def test_oversized(self):
        self.assertEqual(self.status(b"GET /v1/info HTTP/1.1\r\nX: " + b"a" * 65536 + b"\r\n\r\n"), 431)
        self.assertEqual(self.status(b"GET /v1/info HTTP/1.1\r\n" + b"A: b\r\n" * 10000 + b"\r\n"), 431)
        head = b"POST /v1/runs HTTP/1.1\r\nHost: x\r\n"
        self.assertEqual(self.status(head + b"Content-Length: 33554433\r\n\r\n"), 413)
        self.assert_well()

    def submit(self, **fields):
        """The status that a run with these fields is answered with."""
        body = json.dumps({"entry": "a.yaml", "files": {"a.yaml": "tasks: {t: {approval: {message: m}}}"},
                           "working_dir": "/", **fields}).encode()
        head = f"POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        return self.status(head.encode() + body)

    def test_labels_and_params_beyond_their_limits(self):
        self.assertEqual(self.submit(labels={"a": "x" * 256}), 201)
        self.assertEqual(self.submit(labels={"a": "x" * 257}), 400)
        self.assertEqual(self.submit(labels={"a" * 64: "x"}), 201)
        self.assertEqual(self.submit(labels={"a" * 65: "x"}), 400)
        self.assertEqual(self.submit(labels={f"l{i}": "x" for i in range(64)}), 201)
        self.assertNotEqual(self.submit(labels={f"l{i}": "x" for i in range(65)}), 201)
        self.assertEqual(self.submit(params={"x": "y"}), 400)
        self.assert_well()

    def test_endless_chunks(self):
        """The body's limit answers, and what still comes is thrown away for a while only, then the connection ends."""
        client = self.connect()
        client.sendall(b"POST /v1/runs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        sent = 0
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while not select.select([client], [], [], 0)[0]:
                client.sendall(chunk)
                sent += len(chunk)
                self.assertLess(sent, BODY_BYTES + (4 << 20), "not answered")
        self.assertTrue(client.recv(65536).startswith(b"HTTP/1.1 413"))
        with self.assertRaises((BrokenPipeError, ConnectionResetError)):
            while True:
                client.sendall(chunk)
        self.assert_well()

    def test_json_that_grows_in_memory(self):
        body = b'{"params":[' + b"[]," * (10 << 20) + b"[]]}"
        head = f"POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        said = self.answer(head.encode() + body, end=b" values")
        self.assertTrue(said.startswith(b"HTTP/1.1 400"), said)
        self.assertIn(b"more than 1000000 values", said)
        self.assert_well()

    def test_a_stop_while_a_large_workflow_is_read(self):
        tasks = "".join(f"  t{n}: {{run: x, needs: [t{n - 1}]}}\\n" for n in range(1, 150_000))
        body = f'{{"entry":"w.yaml","files":{{"w.yaml":"tasks:\\n  t0: {{run: x}}\\n{tasks}"}},"working_dir":"/"}}'
        client = self.connect()
        client.sendall(f"POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        while self.busiest_thread() < 10:  # ticks: it is being read
            self.assertIsNone(self.daemon.process.poll())
        self.assertEqual(self.daemon.stop(), 0)

    def busiest_thread(self):
        """The CPU time, in ticks, of the daemon's busiest thread beside the event loop's."""
        pid = self.daemon.pid
        stats = [pathlib.Path(f"/proc/{pid}/task/{thread}/stat").read_text() for thread in os.listdir(f"/proc/{pid}/task") if int(thread) != pid]
        return max(int(stat.rpartition(") ")[2].split()[11]) for stat in stats)

    def test_a_thousand_at_once_and_beyond(self):
        many = [self.connect() for _ in range(1000)]
        for client in many:
            client.sendall(GET)
        for client in many:
            self.assertTrue(client.recv(65536).startswith(b"HTTP/1.1 200"))
        self.assert_well()
        more = [self.connect() for _ in range(CONNECTIONS - len(many) + 50)]
        refused = more[-1]
        with contextlib.suppress(BrokenPipeError):  # the answer does not wait for the request
            refused.sendall(GET)
        self.assertTrue(refused.recv(65536).startswith(b"HTTP/1.1 503"))
        for client in many + more:
            client.close()
        self.assert_well()

    def test_streams_that_nobody_reads(self):
        path = self.box.write("much.yaml", "tasks: {t: {run: \"yes | head -c 30000000\"}}\n")
        run = self.box.submit(path)
        self.box.wait(run)
        for _ in range(50):
            client = self.connect()
            client.sendall(f"GET /v1/runs/{run}/tasks/t/log HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            client.recv(16)
        # Who reads gets everything meanwhile; so the daemon had the time to fetch as much for each of the others.
        self.assertEqual(len(self.box.logs(run, "t")), 30_000_000)
        self.assert_well()

    def test_stopped_client(self):
        """It follows all events and reads none, while more happen than a socket's buffer holds."""
        follower = self.box.spawn("baton", "events", "-f", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        first = self.box.submit(self.box.write("well.yaml", "tasks: {t: {command: [\"true\"]}}\n"))
        self.assertIn(first.encode(), follower.stdout.readline())  # it follows
        os.kill(follower.pid, signal.SIGSTOP)
        try:
            path = self.box.write("many.yaml", """\
name: many
params: {go: false}
tasks:
  t:
    if: "${{ params.go }}"
    command: ["true"]
    matrix: {a: %s, b: %s}
""" % (list(range(50)), list(range(100))))
            self.box.wait(self.box.submit(path))
            self.assert_well()
        finally:
            follower.kill()
            follower.wait()
            follower.stdout.close()


class NoDescriptors(Clients):
    """Apart, because UBSan needs a descriptor to look at memory: without one it reports what is not so."""

    def test_descriptors_run_out(self):
        soft, hard = resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE, (64, hard))
        many = []
        for _ in range(100):
            many.append(self.connect())
        many[0].sendall(GET)
        self.assertTrue(many[0].recv(65536).startswith(b"HTTP/1.1 200"))
        for client in many:
            client.close()
        resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE, (soft, hard))
        self.assert_well()


if __name__ == "__main__":
    harness.main()
