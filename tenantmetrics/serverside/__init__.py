"""What the database and AWS say of their own load, brought to tables beside the ledger.

`tables` declares the tables; `statements`, `db_load`, `performance_insights` and `activity` each
read one source. What is done with the rows is the estimate's business, not theirs.
"""
