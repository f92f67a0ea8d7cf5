"""Bulk load and export of campaigns: streamed, checked by the rules of the API, set-based in the database.

`sources` reads a file and `rows` checks it; `staging` puts checked rows into a temporary table; `settling` compares
that table with what is stored and writes; `run` puts these together. `exporting` is the way back. None of them prints.
"""
