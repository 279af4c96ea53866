"""What the stock data pipeline lacks."""

from .unpack_flow import UnpackFlow

__all__ = ['UnpackFlow']
