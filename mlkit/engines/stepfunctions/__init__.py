"""Compile a pipeline to a state machine of AWS Step Functions."""
