"""Speed beside its peers, in one run, on a fleet of OpenIPMI's ipmi_sim: `make bench`."""

from __future__ import annotations
