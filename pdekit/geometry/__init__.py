"""Shapes other than boxes: discs, ellipses, balls, polygons, and their differences, unions and intersections; meshes."""

from .adapter import deepxde_geometry as deepxde_geometry
from .adapter import from_deepxde as from_deepxde
from .csg import Difference as Difference
from .csg import Intersection as Intersection
from .csg import Union as Union
from .leaves import Ball as Ball
from .leaves import Disk as Disk
from .leaves import Ellipse as Ellipse
from .leaves import Polygon as Polygon
from .mesh_region import MeshRegion as MeshRegion
from .outline import outlines as outlines
from .shape import Shape as Shape
from .space_time import SpaceTime as SpaceTime
