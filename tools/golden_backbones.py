#!/usr/bin/env python3
"""Writes tiny random checkpoints and the features their own libraries compute from them.

    golden_backbones.py [OUTPUT_DIRECTORY]       (default: Tests/ModelTests/Golden/backbones)

Needs torch, transformers, timm and safetensors. For each model a folder: model.safetensors and config.json as the
library saves them, and expected.json: the images as RGB bytes in base64, and per resolution the features, the class
token after the last LayerNorm (projected where there is a projection), normalised to length 1.
"""

import base64
import json
import os
import sys

import numpy as np
import timm
import torch
import transformers
from safetensors.torch import save_file

SEED = 20240607
SIZES = [32, 48]  # The models are made for 32 pixels; at 48 their positions are resampled.
SMALLER = 16


def images(size, generator):
    """Two images with structure: noise over gradients."""
    ramp = np.linspace(0, 200, size)[None, :, None] * np.array([1, 0.5, 0.2]) + np.zeros((size, 1, 1))
    return [np.clip(ramp + generator.normal(0, 40, (size, size, 3)), 0, 255).astype(np.uint8) for _ in range(2)]


def pixel_values(picture, mean, deviation):
    values = (picture.astype(np.float64) / 255 - mean) / deviation
    return torch.tensor(values.transpose(2, 0, 1)[None], dtype=torch.float32)


def randomize(model, generator):
    """Every parameter random, norms and layer scales near 1: fresh models have constants that would hide mistakes."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "position" in name or name == "pos_embed":
                parameter.copy_(0.5 * noise)
            elif parameter.ndim == 1 and ("weight" in name or "gamma" in name or "lambda" in name):
                parameter.copy_(1 + 0.2 * noise)
            elif parameter.ndim == 1:
                parameter.copy_(0.1 * noise)
            elif parameter.ndim == 2:
                parameter.copy_(noise * 1.2 / parameter.shape[1] ** 0.5)
            elif parameter.ndim == 4:
                parameter.copy_(noise * 1.2 / parameter[0].numel() ** 0.5)
            else:
                parameter.copy_(0.5 * noise)
    return model.eval()


def hugging_face(kind):
    shared = dict(hidden_size=48, num_hidden_layers=2, num_attention_heads=3, image_size=32, patch_size=8)
    if kind == "clip":
        config = transformers.CLIPVisionConfig(intermediate_size=96, projection_dim=40, **shared)
        model = transformers.CLIPVisionModelWithProjection(config)
        feature = lambda x: model(pixel_values=x, interpolate_pos_encoding=True).image_embeds
    elif kind == "vit":
        config = transformers.ViTConfig(intermediate_size=80, **shared)
        model = transformers.ViTModel(config)
        feature = lambda x: model(pixel_values=x, interpolate_pos_encoding=True).last_hidden_state[:, 0]
    elif kind == "deit":
        config = transformers.DeiTConfig(intermediate_size=80, **shared)
        model = transformers.DeiTModel(config)
        feature = lambda x: model(pixel_values=x, interpolate_pos_encoding=True).last_hidden_state[:, 0]
    else:
        config = transformers.Dinov2Config(mlp_ratio=2, **shared)
        model = transformers.Dinov2Model(config)
        feature = lambda x: model(pixel_values=x).last_hidden_state[:, 0]
    return model, feature, json.loads(config.to_json_string())


def timm_model(kind):
    arguments = dict(
        img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=2, num_classes=5, dynamic_img_size=True)
    if kind == "timm-prenorm-layerscale":
        arguments.update(init_values=0.5, pre_norm=True)
    model = timm.models.vision_transformer.VisionTransformer(**arguments)
    config = {
        "architecture": kind,
        "num_classes": 5,
        "global_pool": "token",
        "model_args": {"num_heads": 2, "img_size": 32},
        "pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "input_size": [3, 32, 32]},
    }
    return model, lambda x: model.forward_features(x)[:, 0], config


def write(directory, kind, dtype):
    torch_generator = torch.Generator().manual_seed(SEED)
    generator = np.random.default_rng(SEED)
    model, feature, config = timm_model(kind) if kind.startswith("timm") else hugging_face(kind.split("-")[0])
    randomize(model, torch_generator)
    folder = os.path.join(directory, kind)
    os.makedirs(folder, exist_ok=True)
    model.to(dtype)
    if kind.startswith("timm"):
        save_file(model.state_dict(), os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    else:
        model.save_pretrained(folder)
    model.float()  # The library computes in float32 from the weights as they are stored.
    mean, deviation = np.array([0.5, 0.5, 0.5]), np.array([0.5, 0.5, 0.5])
    if kind == "clip":
        mean, deviation = np.array([0.4, 0.5, 0.6]), np.array([0.3, 0.25, 0.2])
    if not kind.startswith("timm"):
        config.update(image_mean=mean.tolist(), image_std=deviation.tolist())
    cases = []
    for size in SIZES + [SMALLER]:
        pictures = images(size, generator)
        with torch.no_grad():
            features = [feature(pixel_values(picture, mean, deviation))[0].double() for picture in pictures]
        cases.append({
            "resolution": size,
            "images": [base64.b64encode(picture.tobytes()).decode() for picture in pictures],
            "features": [[float(f"{value:.9g}") for value in (one / one.norm()).tolist()] for one in features],
        })
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file, indent=1)
        file.write("\n")
    with open(os.path.join(folder, "expected.json"), "w") as file:
        json.dump({"cases": cases}, file, separators=(",", ":"))
        file.write("\n")


def main():
    directory = sys.argv[1] if len(sys.argv) > 1 else "Tests/ModelTests/Golden/backbones"
    print("torch", torch.__version__, "transformers", transformers.__version__, "timm", timm.__version__)
    for kind, dtype in [
        ("clip", torch.float16), ("vit", torch.float32), ("deit", torch.float16), ("dinov2", torch.bfloat16),
        ("timm", torch.float32), ("timm-prenorm-layerscale", torch.bfloat16),
    ]:
        write(directory, kind, dtype)


if __name__ == "__main__":
    main()
