"""Whose call was it: context, session variable, SQL, comment, schema and database names."""
