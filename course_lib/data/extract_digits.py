"""Write ``digits.npz``: 1,797 images of handwritten digits, as scikit-learn ships them.

Run from the repository's root; scikit-learn is no requirement of the course, so tell the script
where the file of its package lies::

    python course_lib/data/extract_digits.py …/sklearn/datasets/data/digits.csv.gz

The array holds every number of that file, so the file's text can be written again from it: a test
does so and compares its hash with ``SHA256``.
"""

import gzip
import hashlib
import sys
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from course_lib.trained.digits import DIGITS

#: Of the text of ``digits.csv.gz`` in scikit-learn 1.9.1.
SHA256 = "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"


def as_text(images: UInt8[np.ndarray, "B 8 8"], labels: UInt8[np.ndarray, " B"]) -> str:
    """Write images and labels as scikit-learn's file has them.

    Args:
        images: pixels from 0 to 16.
        labels: the digit that each shows.

    Returns:
        A line of 65 numbers for each image: its pixels, row by row, and its digit.
    """
    rows = np.concatenate([images.reshape(len(images), -1), labels[:, None]], axis=1)
    return "".join(",".join(map(str, row)) + "\n" for row in rows.tolist())


def extract(text: str) -> tuple[UInt8[np.ndarray, "B 8 8"], UInt8[np.ndarray, " B"]]:
    """Read images and labels from the text of scikit-learn's file.

    Args:
        text: a line of 65 numbers for each image.

    Returns:
        The images, and the digit that each shows.

    Raises:
        ValueError: if it is another text than that of scikit-learn 1.9.1.
    """
    found = hashlib.sha256(text.encode()).hexdigest()
    if found != SHA256:
        raise ValueError(f"the text has the hash {SHA256}; this one has {found}")
    rows = np.array([line.split(",") for line in text.splitlines()], dtype=np.uint8)
    return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1]


if __name__ == "__main__":
    images, labels = extract(gzip.decompress(Path(sys.argv[1]).read_bytes()).decode("ascii"))
    np.savez_compressed(DIGITS, images=images, labels=labels)
    print(f"{DIGITS.name}: {DIGITS.stat().st_size:,} bytes")
