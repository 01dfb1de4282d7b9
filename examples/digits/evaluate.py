"""Picks the trial with the best validation accuracy and measures it on digits that no trial has seen."""
import argparse
import json
import os
import pathlib

import joblib
import numpy

from task_io import write_outputs


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with test.npz")
    args = parser.parse_args()

    trials = json.loads(os.environ["TRIALS"])
    for trial in trials:
        print(f"{trial['model']}: validation accuracy {float(trial['accuracy']):.3f}")
    best = max(trials, key=lambda trial: float(trial["accuracy"]))

    test = numpy.load(args.data / "test.npz")
    accuracy = joblib.load(best["model"]).score(test["x"], test["y"])
    print(f"best: {best['model']}, accuracy {accuracy:.3f} on {len(test['y'])} test digits")
    write_outputs(accuracy=f"{accuracy:.4f}", model=best["model"])


if __name__ == "__main__":
    main()
