"""`python -m tenantmetrics` is the `tenantmetrics` command."""

from tenantmetrics.cli import main

if __name__ == "__main__":
    main()
