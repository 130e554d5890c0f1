"""TOML 1.1 as Python values. The standard library reads it from Python 3.15 on; tomli, with the same messages, before that."""

try:
    from tomli import loads
except ModuleNotFoundError:
    from tomllib import loads

__all__ = ["loads"]
