"""Data sets: bundled, generated, or the user's own files; each says where it came from."""

from __future__ import annotations

from .bundled import digits as digits
from .bundled import iris as iris
from .pictures import Picture as Picture
from .pictures import cat as cat
from .pictures import image as image
from .pictures import synthetic_image as synthetic_image
from .samples import Samples as Samples
from .samples import Split as Split
from .users import cifar10 as cifar10
from .users import mnist as mnist
