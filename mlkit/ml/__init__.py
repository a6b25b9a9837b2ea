"""What the stage notebooks call: data, features, models, evaluation, registry and serving.

Every module holds plain functions that take and return tables, models and plain values. Heavy
libraries are imported only by the modules that need them, so a stage pays for what it uses.
"""
