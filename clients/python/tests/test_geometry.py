"""LPS and RAS, and what is refused."""

import numpy as np
import pytest
from spinefx_client import Grid, SpinefxError, lps_to_ras


def oblique_ras() -> np.ndarray:
    a, b = np.deg2rad(12), np.deg2rad(-9)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    turn = turn @ np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn * [0.9, 1.1, 2.5]
    matrix[:3, 3] = [31.5, -42.25, -120.0]
    return matrix


def test_oblique_there_and_back() -> None:
    grid = Grid.from_ijk_to_ras(oblique_ras(), (80, 96, 40))
    assert np.allclose(grid.spacing_mm, [0.9, 1.1, 2.5], atol=1e-12)
    assert grid.shape == (40, 96, 80) and grid.voxels == 40 * 96 * 80
    assert np.abs(grid.ijk_to_ras() - oblique_ras()).max() < 1e-12
    assert np.allclose(grid.origin_lps, [-31.5, 42.25, -120.0])
    # By hand: RAS x and y have the other sign in LPS.
    corner = grid.ijk_to_lps() @ [79, 95, 39, 1]
    assert np.allclose(lps_to_ras(corner[:3]), (oblique_ras() @ [79, 95, 39, 1])[:3])


def test_left_handed_volumes_are_kept() -> None:
    matrix = oblique_ras()
    matrix[:3, 0] *= -1
    assert np.abs(Grid.from_ijk_to_ras(matrix, (4, 5, 6)).ijk_to_ras() - matrix).max() < 1e-12


def sheared() -> np.ndarray:
    matrix = oblique_ras()
    matrix[:3, 1] += 0.05 * matrix[:3, 0]
    return matrix


def nan() -> np.ndarray:
    matrix = oblique_ras()
    matrix[0, 3] = np.nan
    return matrix


def flat() -> np.ndarray:
    matrix = oblique_ras()
    matrix[:3, 2] = 0
    return matrix


@pytest.mark.parametrize(
    ("matrix", "size", "reason"),
    [
        (sheared(), (4, 5, 6), "VOLUME_SHEARED"),
        (nan(), (4, 5, 6), "VOLUME_GEOMETRY"),
        (flat(), (4, 5, 6), "VOLUME_GEOMETRY"),
        (oblique_ras(), (4, 0, 6), "VOLUME_EMPTY"),
    ],
)
def test_refusals(matrix: np.ndarray, size: tuple, reason: str) -> None:
    with pytest.raises(SpinefxError) as caught:
        Grid.from_ijk_to_ras(matrix, size)
    assert caught.value.reason == reason


def test_same_place_looks_at_the_far_corner() -> None:
    grid = Grid((100, 100, 100), (1, 1, 1), (0, 0, 0))
    turned = Grid((100, 100, 100), (1.001, 1, 1), (0, 0, 0))
    assert grid.same_place(grid) and not grid.same_place(turned)
    assert not grid.same_place(Grid((100, 100, 99), (1, 1, 1), (0, 0, 0)))
