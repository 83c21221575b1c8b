"""Images and a volume led by masks, as numpy arrays and as MONAI's tensors.

python sample_with_masks.py [RUN]
"""

from __future__ import annotations

import sys

import fedscan
import numpy as np
import torch
from monai.data import MetaTensor

generator = fedscan.load_generator(sys.argv[1] if len(sys.argv) > 1 else None)
size = generator.image_size

# A round organ at three places: labels are those of fedscan.model.conditions.LABEL.
rows, columns = np.mgrid[:size, :size] / size
masks = [
    np.where((rows - 0.5) ** 2 + (columns - middle) ** 2 < 0.02, 7, 0).astype(np.uint8)
    for middle in (0.35, 0.5, 0.65)
]
request = fedscan.GenerateRequest(
    prompts=["axial CT of the abdomen"],
    count=len(masks),
    steps=4,
    spatial=np.stack([fedscan.spatial_conditions((size, size), mask=mask) for mask in masks]),
)
group = fedscan.generate(generator, request).groups[0]
hounsfield = group.hounsfield
print("numpy", hounsfield.shape, hounsfield.dtype, "HU")

for image, mask in zip(hounsfield, masks, strict=True):
    # Channel, slice, row, column: the affine says where each pixel lies, in RAS+ mm.
    scan = MetaTensor(torch.from_numpy(image)[None, None], affine=group.affine)
    label = MetaTensor(torch.from_numpy(mask)[None, None], affine=group.affine)
    print("MONAI", tuple(scan.shape), tuple(label.shape), scan.pixdim.tolist(), "mm")
