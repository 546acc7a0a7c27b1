from __future__ import annotations

import numpy as np
import pytest
from raw_rows import shown, write

from dives.writers.cams_npy import CamsNpy


@pytest.mark.parametrize("mmap_mode", [None, "r"])
def test_numpy_reads_the_maps_in_the_order_of_the_rows(dive, mmap_mode):
    to = dive(300)
    write([shown(k, k * 0.1, 0) for k in range(300)], to, CamsNpy())
    maps = np.load(to.folder / "cams.npy", mmap_mode=mmap_mode)
    assert (maps.shape, maps.dtype) == ((300, 2, 2), np.uint8)
    np.testing.assert_array_equal(maps[:, 1, 0], np.arange(300) % 256)
