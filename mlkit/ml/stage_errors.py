"""The errors that a stage raises about data, models, the registry, the server and alerts.

They end a stage with one readable sentence that names the value and the remedy. Errors that may
pass by themselves are also `ConnectionError` or `TimeoutError`, which is what a retry looks for.
"""

from __future__ import annotations

__all__ = [
    "AlertError",
    "DataError",
    "LeakageError",
    "ModelError",
    "RegistryError",
    "ServingError",
    "SourceTimeoutError",
    "SourceUnreachableError",
    "ValidationFailedError",
]


class DataError(ValueError):
    """The data, or a parameter that chooses them, cannot be used."""


class SourceUnreachableError(DataError, ConnectionError):
    """A source did not answer; it may do so later."""


class SourceTimeoutError(DataError, TimeoutError):
    """A source answered too slowly; it may do better later."""


class ValidationFailedError(DataError):
    """The data break at least one of the rules that the pipeline relies on."""


class LeakageError(DataError):
    """A column is wanted as a feature that is known only after the flight has left."""


class ModelError(ValueError):
    """A model's name or one of its settings is unknown, or it cannot be trained or chosen."""


class RegistryError(RuntimeError):
    """The model registry cannot be used."""


class ServingError(RuntimeError):
    """The scoring server did not start, or did not answer as the model does."""


class AlertError(RuntimeError):
    """An alert could not be delivered."""
