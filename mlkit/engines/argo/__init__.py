"""Argo Workflows: a pipeline as a WorkflowTemplate and a CronWorkflow."""
