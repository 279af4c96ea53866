"""Reading video."""

from .errors import BrokenVideoError, TooManyBadVideosError
from .reader import Video

__all__ = ['BrokenVideoError', 'TooManyBadVideosError', 'Video']
