"""Frequency instruments: spectra, error by mode and by band, the dual norm. Pure numpy.

Wave numbers k are angular everywhere: sin(4 x) has k = 4.

- on a grid: `spectrum`, `peaks`, `dominant_frequencies`, `BandMeter`/`bands_of`, `dual_norm`
- at any points: `projection`, `fourier_sum`, `DeltaF`/`delta_f`, `FilterMeter`; along one direction: `principal_direction`
- test functions on a box: `AxisModes`
- roughness: `centroid`, `radial_mean`, `total_variation`
- of many functions at once (steps, seeds): `DeltaF.each`, `band_energies`
- over a run: `BandHistory`, `converged_at`, `settled_at`
"""

from __future__ import annotations

from .bands import BandMeter as BandMeter
from .bands import Bands as Bands
from .bands import band_energies as band_energies
from .bands import bands_of as bands_of
from .bands import low_mid_high as low_mid_high
from .bands import octaves as octaves
from .basis import Basis as Basis
from .basis import Even as Even
from .basis import Odd as Odd
from .basis import Periodic as Periodic
from .cover import Band as Band
from .cover import Content as Content
from .cover import content as content
from .cover import cover as cover
from .delta import DeltaF as DeltaF
from .delta import delta_f as delta_f
from .dual import dual_norm as dual_norm
from .eigenmodes import AxisModes as AxisModes
from .eigenmodes import Ends as Ends
from .eigenmodes import resolved_modes as resolved_modes
from .filtering import FilterMeter as FilterMeter
from .filtering import Split as Split
from .history import BandHistory as BandHistory
from .history import converged_at as converged_at
from .history import settled_at as settled_at
from .least_squares import Projection as Projection
from .least_squares import Projector as Projector
from .least_squares import eigenmodes_near as eigenmodes_near
from .least_squares import fourier_sum as fourier_sum
from .least_squares import projection as projection
from .least_squares import projector as projector
from .measures import centroid as centroid
from .measures import principal_direction as principal_direction
from .measures import radial_mean as radial_mean
from .measures import total_variation as total_variation
from .modes import Cosines as Cosines
from .modes import Functions as Functions
from .modes import Joined as Joined
from .modes import Modes as Modes
from .modes import Sines as Sines
from .modes import Waves as Waves
from .slopes import slopes_of as slopes_of
from .slopes import solution_slopes as solution_slopes
from .transform import Hann as Hann
from .transform import Peaks as Peaks
from .transform import Spectrum as Spectrum
from .transform import Window as Window
from .transform import dominant_frequencies as dominant_frequencies
from .transform import peaks as peaks
from .transform import spectrum as spectrum
