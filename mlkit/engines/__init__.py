"""Engines: compilers from a pipeline to the files of a real orchestrator, and how these are run.

How an engine plugs in:

1. A line in `registry.ENGINES`, whose name is that of the engine's folder here.
2. `compiler.compile_pipeline` in that folder (`export.Compiler`): a pure function of a checked
   pipeline and `ExportSettings` to readable files. The files import the engine and the standard
   library only; what they hold beside the pipeline's facts comes of real modules (`carrying`).
   Each task calls `mlkit run --only 'STAGE[VALUE]' --run-id ID`, with `MLKIT_ENGINE`,
   `MLKIT_ENGINE_RUN_ID` and `MLKIT_ENGINE_TASK_ID` in its environment, and obeys its exit code:
   0 done, 99 skipped, 1 failed, 2 an upstream artifact is missing. A failed task's JSON document
   says in `stages[ID].error.retryable` whether the stage's policy allows another attempt. What the
   engine skips needs no call: the driver works out what was skipped, and writes it down.
3. What the engine cannot express is refused (`refusals`), with the stage, the line and a remedy.
4. `launch.launch` in the folder (`launching.Launcher`): a function of an `Order` (a run's exported
   files, the Python of the engine's environment, the run's id) to the `Launch` that
   `mlkit run --on` starts, follows and settles (`mlkit.api.engine_runs`).
5. A subclass of `mlkit.testing.engines.EngineContract`, which runs it all for real.
"""
