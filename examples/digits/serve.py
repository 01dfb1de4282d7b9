"""Serves a model over HTTP on a Unix socket: POST {"images": [[64 numbers], ...]} to /predict.

Prints `ready` on standard output when it answers. Try it:
    curl --unix-socket model.sock -d '{"images": [...]}' http://model/predict
"""
import argparse
import http.server
import json
import os
import socketserver

import joblib
import numpy

MAX_BODY = 4 << 20


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        if self.path != "/predict":
            return self.answer(404, {"error": "try POST /predict"})
        length = int(self.headers.get("Content-Length", 0))
        if not 0 < length <= MAX_BODY:
            return self.answer(413, {"error": f"send between 1 and {MAX_BODY} bytes"})
        try:
            images = numpy.array(json.loads(self.rfile.read(length))["images"], dtype=float)
            if images.ndim != 2 or images.shape[1] != 64:
                raise ValueError("each image has 64 numbers, 0 to 16")
        except (ValueError, KeyError, TypeError) as error:
            return self.answer(400, {"error": str(error)})
        return self.answer(200, {"digits": self.server.model.predict(images).tolist()})

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def address_string(self):
        return "client"  # a Unix socket's peer has no address

    def log_message(self, format, *args):
        pass


class Server(socketserver.UnixStreamServer):
    def __init__(self, path, model):
        super().__init__(path, Handler)
        self.model = model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--socket", required=True, help="path of the socket; must not exist, at most 107 bytes")
    args = parser.parse_args()
    os.umask(0o077)
    with Server(args.socket, joblib.load(args.model)) as server:
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
