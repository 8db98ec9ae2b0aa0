"""Meshes of regions: intervals, boxes, balls, and every plane shape, with boundary points equally spaced on each piece."""

from .mesher import mesh as mesh
from .mesher import refined as refined
