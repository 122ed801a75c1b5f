"""Who a tenant is: explicit context, an id's spellings, configured names, which source wins."""
