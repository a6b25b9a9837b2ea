"""Grading: exercises made from solutions, answers run in a sandbox, verdicts reached outside it."""
