"""The zygote: a clean process that imports what kernels need, and forks a fresh kernel on demand.

This package runs outside mlkit, under the kernels' own interpreter, as a top-level package named
`mlkit_zygote`: it needs the standard library, ipykernel and ctypes, and imports nothing of mlkit.
"""
