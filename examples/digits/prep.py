"""Splits scikit-learn's bundled handwritten digits (UCI, 1,797 images of 8x8 pixels) into three sets."""
import argparse
import pathlib

import numpy
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from task_io import atomic_path, write_outputs


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write train.npz and test.npz to")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()

    digits = load_digits()
    x_rest, x_test, y_rest, y_test = train_test_split(
        digits.data, digits.target, test_size=0.2, stratify=digits.target, random_state=args.seed)
    x_train, x_validation, y_train, y_validation = train_test_split(
        x_rest, y_rest, test_size=0.25, stratify=y_rest, random_state=args.seed)

    args.out.mkdir(parents=True, exist_ok=True)
    with atomic_path(args.out / "train.npz") as path:
        numpy.savez_compressed(path, x=x_train, y=y_train, x_validation=x_validation, y_validation=y_validation)
    with atomic_path(args.out / "test.npz") as path:
        numpy.savez_compressed(path, x=x_test, y=y_test)

    print(f"{len(digits.target)} digits: {len(y_train)} to train, {len(y_validation)} to validate, {len(y_test)} to test")
    write_outputs(rows=len(y_train), data=args.out)


if __name__ == "__main__":
    main()
