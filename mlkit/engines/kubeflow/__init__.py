"""Kubeflow Pipelines: a pipeline as a kfp file, run by kfp here or on a cluster."""
