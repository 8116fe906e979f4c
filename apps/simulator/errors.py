from __future__ import annotations


class SimulatorError(ValueError):
    """A wrong wish to the simulator. The text is a sentence for the person who asked."""
