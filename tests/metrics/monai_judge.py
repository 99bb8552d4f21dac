"""Makes pairs of masks and says what MONAI, scipy and numpy measure on them: monai_judge.py FOLDER

Writes NAME-found.nii.gz and NAME-truth.nii.gz for every pair, probabilities.f32 and probability-truth.u8 for
calibration, and judged.json. Distances are null where a mask is empty: none exists then.
"""

import json
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from monai.metrics import CalibrationErrorMetric, compute_dice, compute_iou
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance
from scipy import ndimage

folder = Path(sys.argv[1])
rng = np.random.default_rng(20241)


def ball(shape, spacing, centre, radius):
    """Voxels (k, j, i) within radius mm of a centre in mm."""
    at = np.indices(shape) * np.reshape(spacing, (3, 1, 1, 1))
    return ((at - np.reshape(centre, (3, 1, 1, 1))) ** 2).sum(0) <= radius**2


def pairs():
    """name, spacing (k, j, i), found, truth"""
    for spacing in [(1.0, 1.0, 1.0), (5.0, 0.7, 0.9), (0.8, 2.5, 1.3)]:
        shape = (14, 33, 27)
        noise = rng.random((2, *shape))
        for density in (0.01, 0.2, 0.6):
            yield f"noise-{density}", spacing, noise[0] < density, noise[1] < density
        centre = [n * s / 2 for n, s in zip(shape, spacing)]
        near = [c + s for c, s in zip(centre, spacing)]
        yield "balls", spacing, ball(shape, spacing, centre, 9.0), ball(shape, spacing, near, 7.5)
        corner = ball(shape, spacing, (0, 0, 0), 11.0)
        yield "borders", spacing, corner, corner | ball(shape, spacing, near, 6.0)
        single = np.zeros(shape, bool)
        single[-1, -1, -1] = True
        yield "single", spacing, single, ball(shape, spacing, centre, 6.0)
        yield "equal", spacing, single, single
        apart = np.zeros(shape, bool)
        apart[3:6, 3:9, 3:9] = apart[9:12, 20:30, 15:25] = True
        yield "two-lesions", spacing, ball(shape, spacing, near, 6.0) | single, apart
        yield "full", spacing, np.ones(shape, bool), apart
        empty = np.zeros(shape, bool)
        yield "missed", spacing, empty, apart
        yield "invented", spacing, apart, empty


def judge(spacing, found, truth):
    def one_hot(mask):
        return torch.from_numpy(np.stack([~mask, mask])[None].astype(np.float32))

    y_pred, y = one_hot(found), one_hot(truth)
    corners = np.ones((3, 3, 3))
    judged = {
        "lesions": ndimage.label(truth, corners)[1],
        "regions": ndimage.label(found, corners)[1],
        "hd95_mm": None,
        "assd_mm": None,
    }
    # MONAI counts classes that are empty in both as 1; here they have no figure.
    both = found.any() or truth.any()
    dice = compute_dice(y_pred, y, include_background=True, ignore_empty=False)[0].tolist()
    iou = compute_iou(y_pred, y, include_background=True, ignore_empty=False)[0].tolist()
    judged["dsc"], judged["iou"] = (dice[1], iou[1]) if both else (None, None)
    judged["dsc_2class"], judged["iou_2class"] = sum(dice) / 2, sum(iou) / 2
    if found.any() and truth.any():
        judged["hd95_mm"] = compute_hausdorff_distance(y_pred, y, percentile=95, spacing=spacing).item()
        judged["assd_mm"] = compute_average_surface_distance(y_pred, y, symmetric=True, spacing=spacing).item()
    return judged


def calibration():
    probability = rng.beta(0.3, 0.9, 4000).astype(np.float32)
    truth = rng.random(4000) < probability.astype(np.float64) ** 1.7
    probability[::10] = 0.0  # outside the gate
    probability.tofile(folder / "probabilities.f32")
    truth.astype(np.uint8).tofile(folder / "probability-truth.u8")
    kept = probability > 0
    p, t = probability[kept].astype(np.float64), truth[kept].astype(np.float64)
    place = np.minimum((p * 15).astype(int), 14)
    gaps = [abs(p[place == n].sum() - t[place == n].sum()) for n in range(15)]
    metric = CalibrationErrorMetric(num_bins=15)
    metric(y_pred=torch.from_numpy(p)[None, None], y=torch.from_numpy(t)[None, None])
    return {
        "ece_numpy": sum(gaps) / len(p),
        "ece_monai": metric.aggregate().item(),
        "brier": float(((p - t) ** 2).mean()),
    }


judged = {"pairs": {}, "calibration": calibration()}
for n, (name, spacing, found, truth) in enumerate(pairs()):
    name = f"{n:02}-{name}"
    for what, mask in (("found", found), ("truth", truth)):
        image = sitk.GetImageFromArray(mask.astype(np.uint8))
        image.SetSpacing([float(s) for s in reversed(spacing)])
        sitk.WriteImage(image, str(folder / f"{name}-{what}.nii.gz"))
    judged["pairs"][name] = judge(spacing, found, truth)
(folder / "judged.json").write_text(json.dumps(judged))
