"""Trains one support vector classifier and measures it on the validation set."""
import argparse
import pathlib
import time

import joblib
import numpy
from sklearn.svm import SVC

from task_io import atomic_path, write_outputs


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with train.npz")
    parser.add_argument("--C", type=float, required=True, help="how hard the classifier tries to fit every example")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="file to write the model to")
    args = parser.parse_args()

    data = numpy.load(args.data / "train.npz")
    began = time.monotonic()
    model = SVC(C=args.C, gamma=0.001).fit(data["x"], data["y"])
    accuracy = model.score(data["x_validation"], data["y_validation"])

    args.out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(args.out) as path:
        joblib.dump(model, path)
    print(f"C={args.C:g}: {len(data['y'])} digits in {time.monotonic() - began:.2f} s, "
          f"validation accuracy {accuracy:.3f}")
    write_outputs(accuracy=f"{accuracy:.4f}", model=args.out)


if __name__ == "__main__":
    main()
