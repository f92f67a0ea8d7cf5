"""Bulk load and export of campaigns: streamed, checked by the rules of the API, set-based in the database.

`sources` opens a file, `csv_lines` and `json_lines` read it, and `rows` checks it. `staging` divides checked rows into
sections; `postgresql` or `sqlite` brings them into the database, `early` some of them to where they stay. `merging`
compares them with what is stored and writes; `loading` puts these together. `exporting` is the way back, `synthetic`
makes data. None of them prints.
"""
