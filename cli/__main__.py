"""`python -m cli` is `reeflens`."""

from cli.app import main

if __name__ == "__main__":
    main()
