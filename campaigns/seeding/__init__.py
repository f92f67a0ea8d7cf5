"""Bulk load and export of campaigns: streamed, checked by the rules of the API, set-based in the database.

`sources` opens a file, `csv_lines` and `json_lines` read it, and `rows` checks it. `staging` divides checked rows into
sections. `postgresql` or `sqlite` copies them into temporary tables; `early` finds those that needn't be judged.
`merging` compares the first with what is stored and writes; `loading` puts these together. `exporting` is the way back,
`synthetic` makes data. None of them prints.
"""
