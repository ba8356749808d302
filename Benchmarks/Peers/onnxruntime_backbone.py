#!/usr/bin/env python3
"""Runs the ONNX file the backbone was converted from, beside ours.

    onnxruntime_backbone.py MODEL.onnx PIXELS.f32 RESOLUTION

PIXELS.f32 holds images as float32 [n, 3, RESOLUTION, RESOLUTION]. Then, a request a line on standard input:

    time THREADS BATCH PRECISE     -> seconds for one run over the first BATCH images (the first of a kind warms up)
    features FILE PRECISE          -> writes all features to FILE, float32 [n, width], normalised; then "done"

PRECISE is 0 or 1. Without VNNI, onnxruntime's usual int8 product adds two products of 8-bit numbers in 16 bits, which
saturates: fast, but the features are wrong (cosine 0.5 to the right ones). Its option session.x64quantprecision makes
the arithmetic exact and is what PRECISE sets. With VNNI the option changes nothing.
"""

import sys
import time

import numpy as np
import onnxruntime


def open_session(model, threads, precise):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", str(precise))
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(session, pixels):
    return session.run(["image_embeds"], {"pixel_values": pixels})[0]


def main():
    model, pixels_file, resolution = sys.argv[1], sys.argv[2], int(sys.argv[3])
    pixels = np.fromfile(pixels_file, dtype="<f4").reshape(-1, 3, resolution, resolution)
    sessions = {}
    print("ready", onnxruntime.__version__, flush=True)
    for line in sys.stdin:
        request = line.split()
        kind = (int(request[1]) if request[0] == "time" else 1, int(request[-1]))
        if kind not in sessions:
            sessions[kind] = open_session(model, *kind)
        session = sessions[kind]
        if request[0] == "features":
            features = np.concatenate([run(session, pixels[i : i + 1]) for i in range(len(pixels))])
            features /= np.linalg.norm(features, axis=1, keepdims=True)
            features.astype("<f4").tofile(request[1])
            print("done", flush=True)
        else:
            batch = pixels[: int(request[2])]
            start = time.perf_counter()
            run(session, batch)
            print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
