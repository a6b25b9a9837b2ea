"""The loop that runs a pipeline: order, workers, retries, deadlines, commits, cancellation."""
