"""The messages of one step between the process that leads and those of the other devices.

To a device go the weights, the clip norm and the rows of whole patients: latents, noise and
timesteps. No secret goes there, no patient's name and no count of all patients. Back comes the sum
of the clipped gradients that it computed, exact, and never seen outside the machine.
"""

from __future__ import annotations

#: Begins a sum: :data:`CLIP_NORM`, :data:`GRID`, the weights by their names, and their
#: :data:`ORDER`.
BEGIN = 1
#: Rows of :data:`PATIENTS` patients one after the other, their columns by number.
ROWS = 2
#: Ends a sum: the device answers whether it could, and then all add up.
END = 3
#: No sum comes any more.
STOP = 7
#: A device's answer.
DONE, OUT_OF_MEMORY, FAILED = 4, 5, 6

#: Names of numbers in messages; no parameter has one.
CLIP_NORM, GRID, PATIENTS = "/clip_norm", "/grid", "/patients"
#: Which of the sorted names comes when in the sum: messages do not keep it.
ORDER = "/order"
