"""One line per CT instance of a folder, in file order: the HU, then where its last voxel lies (LPS mm)."""

import sys
from pathlib import Path

import numpy as np
import pydicom

for path in sorted(Path(sys.argv[1]).iterdir()):
    data_set = pydicom.dcmread(path)
    hu = data_set.pixel_array * data_set.RescaleSlope + data_set.RescaleIntercept
    row, column = np.reshape(data_set.ImageOrientationPatient, (2, 3)).astype(float)
    between_rows, between_columns = map(float, data_set.PixelSpacing)
    place = (
        np.array(data_set.ImagePositionPatient, float)
        + row * between_columns * (data_set.Columns - 1)
        + column * between_rows * (data_set.Rows - 1)
    )
    print([int(v) for v in hu.ravel()], *(f"{v:.4f}" for v in place))
