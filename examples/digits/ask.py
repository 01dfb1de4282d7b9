"""Sends real digits to a served model and checks its answers. Exits with 1 if too many are wrong."""
import argparse
import http.client
import json
import pathlib
import socket
import sys

import numpy

SHADES = " .:-=+*#%@"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("model", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def predict(path, images):
    connection = UnixConnection(path)
    connection.request("POST", "/predict", json.dumps({"images": images.tolist()}),
                       {"Content-Type": "application/json"})
    response = connection.getresponse()
    body = json.load(response)
    if response.status != 200:
        sys.exit(f"the model answered {response.status}: {body}")
    return body["digits"]


def picture(image):
    rows = image.reshape(8, 8)
    return "\n".join("    " + "".join(SHADES[round(pixel / 16 * (len(SHADES) - 1))] * 2 for pixel in row).rstrip()
                     for row in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with test.npz")
    parser.add_argument("--count", type=int, default=100, help="how many digits to send")
    parser.add_argument("--min-correct", type=float, default=0.9, help="the part of them that must be right")
    parser.add_argument("--show", type=int, default=0, help="how many digits to draw beside the answer")
    args = parser.parse_args()

    test = numpy.load(args.data / "test.npz")
    images, truth = test["x"][:args.count], test["y"][:args.count]
    answers = predict(args.socket, images)
    for image, answer in list(zip(images, answers))[:args.show]:
        print(f"{picture(image)}\n  the model says: {answer}\n")
    correct = int(sum(answers == truth))
    print(f"{correct} of {len(truth)} digits recognised")
    sys.exit(0 if len(answers) == len(truth) and correct >= args.min_correct * len(truth) else 1)


if __name__ == "__main__":
    main()
