"""Row-level security's policies: written, checked and proved.

source       one transaction over the Data API or a connection, always rolled back
catalogue    what PostgreSQL says of tables, policies, keys, views, functions and roles
read         the catalogue, by `queries`
expressions  what a policy's expression says
scope        which tables are tenants', who the application is, who reaches what
rules        one function a rule; `check` runs them all
baseline     what is known already; `sarif` is what code scanning reads
selection    the tables that a user means
migration    the SQL that isolates them, and its undo
proof        two tenants' rows, every operation, all of it rolled back
"""
