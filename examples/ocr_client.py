#!/usr/bin/env python3
"""Reads the lines of a page with the model `ocr_recognition` of a running server.

    examples/ocr_client.py                          # HTTP on localhost:8000, the page of this folder
    examples/ocr_client.py --protocol grpc          # gRPC on localhost:8001
    examples/ocr_client.py --check                  # also compare with what the page is known to say
    examples/ocr_client.py --image page.png --lines boxes.json

The JSON file lists the lines: [{"box": [left, top, right, bottom], "text": "what it says"}, ...]; "text"
is needed by --check only. Needs the Python packages numpy, pillow and tritonclient[http,grpc].
"""
import argparse
import json
import pathlib
import sys

import numpy as np
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
MODEL, INPUT, OUTPUT = "ocr_recognition", "x", "softmax_11.tmp_0"
HEIGHT = 48
WIDTH_STEP = 32  # widths are padded to a multiple of this, so that lines of similar length can share a batch
DEFAULT_URL = {"http": "localhost:8000", "grpc": "localhost:8001"}


def prepare(page, box):
    """A crop of an RGB page as the recogniser takes it: [1, 3, 48, W] float32, BGR, -1 to 1."""
    line = page.crop(box)
    width = max(1, round(line.width * HEIGHT / line.height))
    line = line.resize((width, HEIGHT), Image.Resampling.BILINEAR)
    pixels = np.asarray(line, dtype=np.float32)[:, :, ::-1] / 255.0
    padded = np.zeros((1, 3, HEIGHT, -(-width // WIDTH_STEP) * WIDTH_STEP), dtype=np.float32)
    padded[0, :, :, :width] = (pixels.transpose(2, 0, 1) - 0.5) / 0.5
    return padded


def decode(probabilities, charset):
    """Greedy CTC over [steps, classes]: the best class of each step, repeats merged, blanks (0) dropped."""
    best = probabilities.argmax(axis=1)
    is_new = np.concatenate([[True], best[1:] != best[:-1]])
    kept = np.flatnonzero(is_new & (best != 0))
    text = "".join(charset[index] for index in best[kept])
    confidence = float(probabilities[kept, best[kept]].mean()) if len(kept) else 0.0
    return text, confidence


def connect(protocol, url):
    """Returns infer(array) -> array, which sends one line to the server."""
    if protocol == "http":
        import tritonclient.http as client
    else:
        import tritonclient.grpc as client
    server = client.InferenceServerClient(url or DEFAULT_URL[protocol])

    def infer(line):
        tensor = client.InferInput(INPUT, list(line.shape), "FP32")
        tensor.set_data_from_numpy(line)
        wanted = [client.InferRequestedOutput(OUTPUT)]
        return server.infer(MODEL, [tensor], outputs=wanted).as_numpy(OUTPUT)

    return infer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--protocol", choices=sorted(DEFAULT_URL), default="http")
    parser.add_argument("--url", help="host:port (default: localhost:8000 or, for gRPC, :8001)")
    parser.add_argument("--image", type=pathlib.Path, default=HERE / "data" / "receipt.png")
    parser.add_argument("--lines", type=pathlib.Path, help="default: the image's name with .json")
    parser.add_argument("--charset", type=pathlib.Path,
                        default=HERE.parent / "model_repository" / MODEL / "charset.txt")
    parser.add_argument("--check", action="store_true",
                        help="exit with 1 unless every line reads as the JSON file says")
    args = parser.parse_args()

    page = Image.open(args.image).convert("RGB")
    lines = json.loads((args.lines or args.image.with_suffix(".json")).read_text())
    charset = args.charset.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    infer = connect(args.protocol, args.url)
    wrong = 0
    for line in lines:
        text, confidence = decode(infer(prepare(page, line["box"]))[0], charset)
        remark = ""
        if args.check and text != line["text"]:
            wrong += 1
            remark = f"   expected: {line['text']}"
        print(f"{confidence:.3f}  {text}{remark}")
    if args.check:
        print(f"{len(lines) - wrong} of {len(lines)} lines read as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
