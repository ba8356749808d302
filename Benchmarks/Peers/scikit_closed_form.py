#!/usr/bin/env python3
"""Fits scikit-learn's ridges on the examples ours are fitted on.

    scikit_closed_form.py FEATURES.f32 WIDTH CLASSES

FEATURES.f32 holds rows of unit length, float32; row i belongs to class i mod CLASSES. Then, a request a line on
standard input:

    kernel ROWS            -> KernelRidge on the arc-cosine kernel of the first ROWS; alpha by leave-one-out over the
                              same grid, from one eigendecomposition
    random ROWS FEATURES   -> RidgeClassifierCV (leave-one-out over the same grid) on random ReLU features

and as answer "SECONDS ACCURACY": the time to fit and the leave-one-out accuracy (kernel) or that on the examples.
"""

import sys
import time

import numpy as np
import sklearn
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import RidgeClassifierCV

GRID = [a * b for b in (1e-3, 1e-2, 1e-1, 1.0) for a in (1, 1.78, 3.16, 5.62)] + [10.0]


def kernel_ridge(x, labels, classes):
    cosines = np.clip(x @ x.T, -1, 1)
    angles = np.arccos(cosines)
    kernel = (np.sin(angles) + (np.pi - angles) * cosines) / np.pi
    targets = np.where(labels[:, None] == np.arange(classes), 1.0, -1.0)
    values, vectors = np.linalg.eigh(kernel.astype(np.float64))
    turned = vectors.T @ targets
    squares = vectors**2
    best = None
    for alpha in GRID:
        inverse = 1 / (values + alpha)
        residuals = (vectors @ (inverse[:, None] * turned)) / (squares @ inverse)[:, None]
        error = np.mean(residuals**2)
        if best is None or error < best[0]:
            best = (error, alpha, np.mean((targets - residuals).argmax(1) == labels))
    KernelRidge(alpha=best[1], kernel="precomputed").fit(kernel, targets)
    return best[2]


def random_features(x, labels, count):
    projection = np.random.default_rng(0).standard_normal((count, x.shape[1])).astype(np.float32)
    hidden = np.maximum(x @ projection.T, 0) * np.float32(np.sqrt(2 / count))
    ridge = RidgeClassifierCV(alphas=GRID, fit_intercept=False).fit(hidden, labels)
    return ridge.score(hidden, labels)


def main():
    file, width, classes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    features = np.fromfile(file, dtype="<f4").reshape(-1, width)
    print("ready", sklearn.__version__, flush=True)
    for line in sys.stdin:
        request = line.split()
        rows = int(request[1])
        x, labels = features[:rows], np.arange(rows) % classes
        start = time.perf_counter()
        if request[0] == "kernel":
            accuracy = kernel_ridge(x, labels, classes)
        else:
            accuracy = random_features(x, labels, int(request[2]))
        print(time.perf_counter() - start, accuracy, flush=True)


main()
