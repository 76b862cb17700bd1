#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An HTTP server on the loopback that behaves in one way, for the tests of weights fetch.

    file_server.py FILE BEHAVIOUR

Serves FILE under any path. Prints its port, then a line for each request: the Range that was asked
for, or "all". Ends when its standard input does.
"""

import http.server
import pathlib
import sys
import threading

CONTENT = pathlib.Path(sys.argv[1]).read_bytes()
BEHAVIOUR = sys.argv[2]
PIECES = 8  # that a connection which is cut takes to bring the whole file


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        wanted = self.headers.get("Range")
        print(wanted or "all", flush=True)
        self.close_connection = True
        if BEHAVIOUR.isdigit():
            self.answer(int(BEHAVIOUR), b"<html>not what was asked for</html>")
        elif BEHAVIOUR == "moved" and not self.path.startswith("/there/"):
            self.send_response(302)
            self.send_header("Location", "/there" + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif BEHAVIOUR == "to-a-file":
            self.send_response(302)
            self.send_header("Location", "file://" + sys.argv[1])
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif wanted and BEHAVIOUR not in ("no-ranges", "cut-without-ranges"):
            self.answer_from(int(wanted.removeprefix("bytes=").split("-")[0]))
        else:
            self.answer(200, CONTENT)

    def answer_from(self, start):
        if start >= len(CONTENT):
            self.answer(416, b"")
        else:
            self.answer(206, CONTENT[start:], f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")

    def answer(self, status, body, content_range=None):
        self.send_response(status)
        if BEHAVIOUR != "short-without-length":
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        most = {"cut": len(CONTENT) // PIECES, "cut-without-ranges": len(CONTENT) // PIECES,
                "silent": 0, "short-without-length": len(CONTENT) // 2}.get(BEHAVIOUR, len(body))
        self.wfile.write(body[:most])


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
