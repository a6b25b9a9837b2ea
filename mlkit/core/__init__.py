"""Pipelines, policies, events and records as frozen values: no disk, no clock."""
