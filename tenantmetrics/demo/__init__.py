"""The demo: a booking platform's tenants on a real PostgreSQL become a bill, in half a minute."""
