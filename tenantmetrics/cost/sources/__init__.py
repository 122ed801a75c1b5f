"""Where usage comes from: each source ends as a folder with the ledger's columns.

What follows, the SQL, the checks and the notes, is then the same for all of them.
"""
