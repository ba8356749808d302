#!/usr/bin/env python3
"""Trains masked prompts on a frozen CLIP image tower in PyTorch, all in float32, beside ours. `--self-test` checks it.

    pytorch_prompts.py --variant plain|cached --images IMAGES --labels LABELS    -> a line of JSON

IMAGES holds preprocessed images as float32 [n, 3, R, R], LABELS int32 [n]. Two groups of prompts follow the image's
tokens X: [cls; X; P; Q]. cls and X attend to each other only, P also to P, Q to everything: cls and X stay what they
are without prompts. Each step draws an episode and minimises the cross-entropy of the leave-one-out predictions of an
arc-cosine kernel ridge, for P and for Q. The variants compute the same: plain runs the whole sequence every step, with
an attention mask; cached computes keys and values of cls and X once an image (7.4 MB at 160 px), then only the prompts.
Needs idle cores, as OpenMP's threads spin, and a fast BLAS, which "gemm_gflops" tells: the reference BLAS is not one.
"""

import argparse
import json
import math
import os
import pathlib
import random
import statistics
import sys
import time

os.environ.pop("OPENBLAS_CORETYPE", None)  # would choose the kernels of another processor, when the library is loaded

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
import torch.utils.benchmark  # noqa: E402

LAMBDA = 0.2


def load_weights(path):
    """The tensors of a safetensors file in float32; int8 ones times the scale of their row, `<name>_scale`."""
    raw, kinds, weights = np.memmap(path, np.uint8, "r"), {"F32": "<f4", "I8": "i1"}, {}
    start = 8 + int(raw[:8].view("<u8")[0])
    header = {key: entry for key, entry in json.loads(raw[8:start].tobytes()).items() if key != "__metadata__"}
    for name, entry in header.items():
        array = raw[start:][slice(*entry["data_offsets"])].view(kinds[entry["dtype"]]).reshape(entry["shape"])
        weights[name] = torch.from_numpy(array.astype(np.float32))
    for name in [name for name in weights if name.endswith("_scale")]:
        weights[name.removesuffix("_scale")] *= weights.pop(name)[:, None]
    return weights


def attend(q, k, v, mask, context=None):
    """Masked attention. With `context`, the keys and values of the first columns, k and v are those of the rest."""
    if context is None:
        if hasattr(F, "scaled_dot_product_attention"):  # from PyTorch 2.0
            return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + mask, -1) @ v
    scores = torch.cat([q @ context[0].transpose(-1, -2), q @ k.transpose(-1, -2)], -1) / math.sqrt(q.shape[-1])
    old, new = torch.softmax(scores + mask, -1).split([context[0].shape[2], k.shape[2]], -1)
    return old @ context[1] + new @ v


class Tower:
    """The frozen image tower, named as Hugging Face's CLIPVisionModelWithProjection."""

    def __init__(self, directory, resolution):
        config = json.loads((directory / "config.json").read_text())
        self.depth, self.heads = config["num_hidden_layers"], config["num_attention_heads"]
        self.width, self.patch, self.epsilon = config["hidden_size"], config["patch_size"], config["layer_norm_eps"]
        self.weights, self.resolution = load_weights(directory / "model.safetensors"), resolution
        table = self.weights["vision_model.embeddings.position_embedding.weight"]
        side, grid = math.isqrt(len(table) - 1), resolution // self.patch
        cells = F.interpolate(table[1:].T.reshape(1, -1, side, side), (grid, grid), mode="bicubic", align_corners=False)
        self.positions = torch.cat([table[:1], cells.flatten(2)[0].T])
        self.tokens = len(self.positions)

    def linear(self, name, x):
        return F.linear(x, self.weights[name + ".weight"], self.weights.get(name + ".bias"))

    def norm(self, name, x):
        weight, bias = self.weights[name + ".weight"], self.weights[name + ".bias"]
        return F.layer_norm(x, x.shape[-1:], weight, bias, self.epsilon)

    def embed(self, pixels):
        """What block 0 is given: [n, 1 + patches, width], the class token first."""
        kernel = self.weights["vision_model.embeddings.patch_embedding.weight"]
        patches = F.conv2d(pixels, kernel, stride=self.patch).flatten(2).transpose(1, 2)
        first = self.weights["vision_model.embeddings.class_embedding"].expand(len(pixels), 1, -1)
        return self.norm("vision_model.pre_layrnorm", torch.cat([first, patches], 1) + self.positions)

    def block(self, index, x, mask, context=None):
        """The output of a block, and the keys and values of its rows, [n, heads, rows, head width]."""
        name = f"vision_model.encoder.layers.{index}."
        h = self.norm(name + "layer_norm1", x)
        rows = (self.linear(f"{name}self_attn.{which}_proj", h) for which in "qkv")
        q, k, v = (y.unflatten(-1, (self.heads, -1)).transpose(1, 2) for y in rows)
        mixed = attend(q, k, v, mask, context).transpose(1, 2).flatten(2)
        x = x + self.linear(name + "self_attn.out_proj", mixed)
        h = self.linear(name + "mlp.fc1", self.norm(name + "layer_norm2", x))
        return x + self.linear(name + "mlp.fc2", h * torch.sigmoid(1.702 * h)), (k, v)

    def read_out(self, rows):
        """The feature of a group of output rows [n, rows, width]: the projected mean, of unit length."""
        mean = self.norm("vision_model.post_layernorm", rows).mean(1)
        return F.normalize(self.linear("visual_projection", mean), dim=-1)


class Prompts(torch.nn.Module):
    """The rows of P and Q, what is added to them before every block, and a temperature a group."""

    def __init__(self, tower, counts):
        super().__init__()
        self.counts = list(counts)
        start = tower.embed(torch.zeros(1, 3, tower.resolution, tower.resolution))[0, :1]  # the same for all images
        self.start = torch.nn.Parameter(start + 0.02 * torch.randn(sum(counts), tower.width))
        self.deep = torch.nn.Parameter(torch.zeros(tower.depth, sum(counts), tower.width))
        self.temperatures = torch.nn.Parameter(torch.full((2,), 3.0))
        group = torch.tensor([0] * tower.tokens + [1] * counts[0] + [2] * counts[1])
        self.mask = torch.zeros(len(group), len(group)).masked_fill(group[:, None] < group, -math.inf)


def plain_features(tower, prompts, pixels, chosen):
    """z of the class token, of P and of Q, with the whole sequence."""
    with torch.no_grad():
        x = tower.embed(pixels[chosen])
    x = torch.cat([x, prompts.start.expand(len(x), -1, -1)], 1)
    for index in range(tower.depth):
        x = torch.cat([x[:, : tower.tokens], x[:, tower.tokens :] + prompts.deep[index]], 1)
        x, _ = tower.block(index, x, prompts.mask)
    _, p, q = x.split([tower.tokens, *prompts.counts], 1)
    return tower.read_out(x[:, :1]).detach(), tower.read_out(p), tower.read_out(q)


@torch.no_grad()
def fill_cache(tower, pixels, batch=32):
    """The keys and values of every block and the class token's z, of all images."""
    mask = torch.zeros(tower.tokens, tower.tokens)
    shape = (len(pixels), tower.heads, tower.tokens, tower.width // tower.heads)
    blocks, z = [(torch.empty(shape), torch.empty(shape)) for _ in range(tower.depth)], []
    for first in range(0, len(pixels), batch):
        x = tower.embed(pixels[first : first + batch])
        for index, (keys, values) in enumerate(blocks):
            x, (k, v) = tower.block(index, x, mask)
            keys[first : first + batch], values[first : first + batch] = k, v
        z.append(tower.read_out(x[:, :1]))
    return blocks, torch.cat(z)


def cached_features(tower, prompts, cache, chosen):
    """z of the class token, of P and of Q, with the prompts' rows only."""
    (blocks, z), mask = cache, prompts.mask[tower.tokens :]
    x = prompts.start.expand(len(chosen), -1, -1)
    for index, (keys, values) in enumerate(blocks):
        x, _ = tower.block(index, x + prompts.deep[index], mask, (keys[chosen], values[chosen]))
    p, q = x.split(prompts.counts, 1)
    return z[chosen], tower.read_out(p), tower.read_out(q)


def kernel(z):
    """The arc-cosine kernel of order 1 of rows of unit length; its diagonal is constant, acos has no gradient there."""
    angles = torch.acos((z @ z.T).clamp(-1 + 1e-6, 1 - 1e-6))
    values = (torch.sin(angles) + (math.pi - angles) * torch.cos(angles)) / math.pi
    return torch.where(torch.eye(len(z), dtype=torch.bool), torch.ones_like(values), values)


def leave_one_out(k, targets):
    """What a kernel ridge fitted on all other rows predicts for each row."""
    inverse = torch.linalg.inv(k + LAMBDA * torch.eye(len(k), dtype=k.dtype))
    return targets - (inverse @ targets) / inverse.diagonal()[:, None]


def loss_of(features, labels, temperatures):
    (z_cls, *groups), targets = features, 2.0 * F.one_hot(labels) - 1
    scores = [leave_one_out(0.5 * kernel(z_cls) + 0.5 * kernel(z), targets) for z in groups]
    return sum(F.cross_entropy(t.exp() * y, labels) for t, y in zip(temperatures, scores))


def train(arguments):
    tower = Tower(arguments.backbone, arguments.resolution)
    pixels = torch.from_numpy(np.fromfile(arguments.images, "<f4")).view(-1, 3, tower.resolution, tower.resolution)
    labels = np.fromfile(arguments.labels, "<i4")
    assert len(labels) == len(pixels), f"{len(pixels)} images, but {len(labels)} labels"
    prompts = Prompts(tower, (arguments.prompts, arguments.prompts))
    optimizer = torch.optim.AdamW(prompts.parameters(), lr=1e-3, weight_decay=0)
    features, material, caching = plain_features, pixels, 0.0
    if arguments.variant == "cached":
        start = time.perf_counter()
        features, material = cached_features, fill_cache(tower, pixels)
        caching = time.perf_counter() - start
    classes, images = arguments.classes_per_episode, arguments.images_per_class
    members = [np.flatnonzero(labels == x).tolist() for x in np.unique(labels) if np.sum(labels == x) >= images]
    generator, episode_labels = random.Random(arguments.seed), torch.arange(classes).repeat_interleave(images)
    seconds, losses = [], []
    for _ in range(arguments.steps):
        drawn = [generator.sample(indices, images) for indices in generator.sample(members, classes)]
        chosen = torch.tensor(drawn).flatten()
        start = time.perf_counter()
        loss = loss_of(features(tower, prompts, material, chosen), episode_labels, prompts.temperatures)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - start)
        print(f"step {len(losses)}: loss {losses[-1]:.4f}, {seconds[-1]:.3f} s", file=sys.stderr)
    gemm = torch.utils.benchmark.Timer("a @ a", globals={"a": torch.randn(1024, 1024)}, num_threads=arguments.threads)
    print(json.dumps({
        "variant": arguments.variant, "steps": arguments.steps, "images_per_step": classes * images,
        "seconds_per_step": statistics.median(seconds), "step_seconds": seconds, "losses": losses,
        "caching_seconds": caching, "images": len(pixels), "torch": torch.__version__,
        "threads": torch.get_num_threads(), "gemm_gflops": 2e-9 * 1024**3 / gemm.timeit(20).median,
    }))  # fmt: skip


def self_test(arguments):
    """Compares the variants with each other, and what cls, P and Q see with what the mask allows."""
    tower = Tower(arguments.backbone, arguments.resolution)
    prompts = Prompts(tower, (2, 3))
    torch.nn.init.normal_(prompts.deep, 0, 0.02)
    pixels, labels = torch.randn(12, 3, tower.resolution, tower.resolution), torch.arange(4).repeat(3)
    results, everything = [], torch.arange(12)
    for features, material in (plain_features, pixels), (cached_features, fill_cache(tower, pixels, 8)):
        prompts.zero_grad(set_to_none=True)
        z = features(tower, prompts, material, everything)
        loss_of(z, labels, prompts.temperatures).backward()
        results.append([group.detach() for group in z] + [parameter.grad for parameter in prompts.parameters()])
    names = ["z of cls, with and without prompts", "z of P", "z of Q", "slope of start", "of deep", "of temperatures"]
    checks = {n: (a - b).norm() < 1e-3 * a.norm() for n, a, b in zip(names, *results)}
    z_cls, *groups = plain_features(tower, prompts, pixels, everything)
    slopes = [torch.autograd.grad(z.sum(), prompts.start, retain_graph=True)[0] for z in groups]
    checks["P does not see Q, Q sees P"] = not slopes[0][2:].any() and slopes[0][:2].any() and slopes[1][:2].any()
    k, y, rest = kernel(z_cls.double()), torch.randn(12, 4, dtype=torch.float64), everything[1:]
    fitted = torch.linalg.solve(k[rest][:, rest] + LAMBDA * torch.eye(11), y[rest])
    checks["leave-one-out"] = torch.allclose(k[0, rest] @ fitted, leave_one_out(k, y)[0])
    print("\n".join(f"{'ok    ' if passed else 'FAILED'} {name}" for name, passed in checks.items()))
    sys.exit(not all(checks.values()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--variant", choices=["plain", "cached"], default="cached")
    parser.add_argument("--backbone", type=pathlib.Path, default="var/backbones/clip-vit-b-16")
    for name in ("--images", "--labels"):
        parser.add_argument(name, required="--self-test" not in sys.argv)
    for name, default in [("classes-per-episode", 16), ("images-per-class", 6), ("steps", 10), ("seed", 0),
                          ("resolution", 160), ("prompts", 1), ("threads", 2)]:  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    (self_test if arguments.self_test else train)(arguments)


main()
