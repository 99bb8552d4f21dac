//! Direction matrices that files keep as rounded numbers.

/// Row-major 3×3; columns are the axes.
pub(super) type Direction = [[f64; 3]; 3];

/// The orthonormal matrix nearest to one that almost is: the polar factor, by Newton steps
/// D ← D (3 − DᵀD) / 2. Each squares the error, so three take 1e-3 below the last bit.
pub(super) fn orthonormal(direction: Direction) -> Direction {
    (0..3).fold(direction, |d, _| {
        let gram = |a: usize, b: usize| -> f64 { (0..3).map(|r| d[r][a] * d[r][b]).sum() };
        std::array::from_fn(|r| {
            std::array::from_fn(|c| 1.5 * d[r][c] - 0.5 * (0..3).map(|a| d[r][a] * gram(a, c)).sum::<f64>())
        })
    })
}

/// The determinant's sign, and b, c, d of the unit quaternion (a ≥ 0) of the matrix after its third
/// column was multiplied by that sign: NIfTI's qfac and quatern_b, _c, _d (nifti1.h, "METHOD 2").
pub(super) fn quaternion(direction: Direction) -> (f64, [f64; 3]) {
    let [x, y, z] = direction;
    let determinant = x[0] * (y[1] * z[2] - y[2] * z[1]) - x[1] * (y[0] * z[2] - y[2] * z[0])
        + x[2] * (y[0] * z[1] - y[1] * z[0]);
    let qfac = determinant.signum();
    let m: Direction = direction.map(|[i, j, k]| [i, j, k * qfac]);
    // 4 q qᵀ, of which the row with the largest diagonal divides best.
    let outer = [
        [1.0 + m[0][0] + m[1][1] + m[2][2], m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1]],
        [m[2][1] - m[1][2], 1.0 + m[0][0] - m[1][1] - m[2][2], m[0][1] + m[1][0], m[0][2] + m[2][0]],
        [m[0][2] - m[2][0], m[0][1] + m[1][0], 1.0 - m[0][0] + m[1][1] - m[2][2], m[1][2] + m[2][1]],
        [m[1][0] - m[0][1], m[0][2] + m[2][0], m[1][2] + m[2][1], 1.0 - m[0][0] - m[1][1] + m[2][2]],
    ];
    let best = (1..4).fold(0, |best, n| if outer[n][n] > outer[best][best] { n } else { best });
    let row = outer[best];
    let scale = 0.5 / row[best].sqrt() * if row[0] < 0.0 { -1.0 } else { 1.0 };
    (qfac, [row[1] * scale, row[2] * scale, row[3] * scale])
}
