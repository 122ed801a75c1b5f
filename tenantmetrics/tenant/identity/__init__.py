"""Who a tenant is: explicit context, spellings of an id, configured names, precedence."""
