"""The workloads, one a module; each has a function `build(folder) -> Workload`."""
