#!/usr/bin/env python3
"""CLIP's image tower in plain numpy, float32, from the converted weights multiplied out: what ours is compared with.

    reference_clip.py MODEL_DIRECTORY PIXELS.f32 RESOLUTION FEATURES.f32

Written from the model's definition, independently of the Swift code: reads model.safetensors by itself, runs every
block in full, and resamples positions with weights made from the cubic's formula. PIXELS.f32: [n, 3, RESOLUTION,
RESOLUTION], normalised. FEATURES.f32: [n, projection_dim], of length 1.
"""

import json
import os
import struct
import sys

# Several BLAS threads beside other work spin more than they compute.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np  # noqa: E402


def load(directory):
    with open(os.path.join(directory, "model.safetensors"), "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    types = {"F32": "<f4", "I8": "i1"}
    raw = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            values = np.frombuffer(data[8 + length + begin : 8 + length + end], dtype=types[entry["dtype"]])
            raw[name] = values.reshape(entry["shape"]).astype(np.float32)
    return {
        name: value * raw[name + "_scale"][:, None] if name + "_scale" in raw else value
        for name, value in raw.items()
        if not name.endswith("_scale")
    }


def cubic(distance, a=-0.75):
    x = abs(distance)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    if x < 2:
        return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return 0.0


def axis_matrix(source, target):
    """[target, source]: each output as a weighted sum of inputs; indices past the border count for the border."""
    matrix = np.zeros((target, source), dtype=np.float64)
    for i in range(target):
        centre = (i + 0.5) * source / target - 0.5
        base = int(np.floor(centre))
        for j in range(base - 1, base + 3):
            matrix[i, min(max(j, 0), source - 1)] += cubic(centre - j)
    return matrix


def positions(table, grid):
    trained = int(round((len(table) - 1) ** 0.5))
    if trained == grid:
        return table
    matrix = axis_matrix(trained, grid)
    square = table[1:].reshape(trained, trained, -1)
    resampled = np.einsum("ai,bj,ijc->abc", matrix, matrix, square, optimize=True)
    return np.concatenate([table[:1], resampled.reshape(grid * grid, -1).astype(np.float32)])


def layer_norm(x, weights, name, epsilon):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * weights[name + ".weight"] + weights[name + ".bias"]


def linear(x, weights, name):
    y = x @ weights[name + ".weight"].T
    return y + weights[name + ".bias"] if name + ".bias" in weights else y


def features(weights, config, pixels):
    heads, epsilon, patch = config["num_attention_heads"], config["layer_norm_eps"], config["patch_size"]
    count, _, size, _ = pixels.shape
    grid = size // patch
    tiles = pixels.reshape(count, 3, grid, patch, grid, patch).transpose(0, 2, 4, 1, 3, 5)
    tiles = tiles.reshape(count, grid * grid, -1)
    kernel = weights["vision_model.embeddings.patch_embedding.weight"]
    x = tiles @ kernel.reshape(len(kernel), -1).T
    width = x.shape[-1]
    class_token = np.broadcast_to(weights["vision_model.embeddings.class_embedding"], (count, 1, width))
    x = np.concatenate([class_token, x], axis=1)
    x = x + positions(weights["vision_model.embeddings.position_embedding.weight"], grid)
    x = layer_norm(x, weights, "vision_model.pre_layrnorm", epsilon)
    for index in range(config["num_hidden_layers"]):
        block = f"vision_model.encoder.layers.{index}."
        y = layer_norm(x, weights, block + "layer_norm1", epsilon)
        split = lambda z: z.reshape(count, -1, heads, width // heads).transpose(0, 2, 1, 3)
        q, k, v = (split(linear(y, weights, block + f"self_attn.{part}_proj")) for part in "qkv")
        scores = q @ k.transpose(0, 1, 3, 2) / np.float32((width // heads) ** 0.5)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        y = (scores @ v).transpose(0, 2, 1, 3).reshape(count, -1, width)
        x = x + linear(y, weights, block + "self_attn.out_proj")
        y = linear(layer_norm(x, weights, block + "layer_norm2", epsilon), weights, block + "mlp.fc1")
        y = y / (1 + np.exp(-1.702 * y))
        x = x + linear(y, weights, block + "mlp.fc2")
    result = linear(layer_norm(x[:, 0], weights, "vision_model.post_layernorm", epsilon), weights, "visual_projection")
    return result / np.linalg.norm(result, axis=1, keepdims=True)


def main():
    directory, pixels_file, resolution, output = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    weights = load(directory)
    with open(os.path.join(directory, "config.json")) as file:
        config = json.load(file)
    pixels = np.fromfile(pixels_file, dtype="<f4").reshape(-1, 3, resolution, resolution)
    parts = [features(weights, config, pixels[i : i + 10]) for i in range(0, len(pixels), 10)]
    np.concatenate(parts).astype("<f4").tofile(output)


if __name__ == "__main__":
    main()
