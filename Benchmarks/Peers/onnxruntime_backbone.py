#!/usr/bin/env python3
"""Runs the ONNX file the backbone was converted from, beside ours.

    onnxruntime_backbone.py MODEL.onnx PIXELS.f32 RESOLUTION

PIXELS.f32 holds images as float32 [n, 3, RESOLUTION, RESOLUTION]. Then, a request a line on standard input:

    time THREADS BATCH     -> seconds for one run over the first BATCH images (the first request of a kind warms up)
    features FILE          -> writes the features of all images to FILE, float32 [n, width], normalised; answers "done"
"""

import sys
import time

import numpy as np
import onnxruntime


def open_session(model, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
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
        threads = int(request[1]) if request[0] == "time" else 1
        if threads not in sessions:
            sessions[threads] = open_session(model, threads)
        session = sessions[threads]
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
