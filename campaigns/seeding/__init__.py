"""Bulk load and export of campaigns: streamed, checked by the rules of the API, set-based in the database.

`sources` opens a file, `csv_lines` and `json_lines` read it, and `rows` checks it; `staging` sorts checked rows, and
`postgresql` or `sqlite` brings them into the database; `settling` compares them with what is stored and writes; `run`
puts these together. `exporting` is the way back. None of them prints.
"""
