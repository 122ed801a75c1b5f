"""Load by `application_name`: which names are tenants."""

from tenantmetrics.cost.server_time.named import named_ns


def test_names_are_matched_as_postgresql_shows_them():
    """Cut at 63 bytes, and without what is not ASCII; what is nobody's is left out."""
    long = "tenant-" + "x" * 80
    names = {"acme": 1.0, long[:63]: 2.0, "Zo??": 3.0, "B\\xc3\\xa4r": 4.0, "psql": 5.0, "": 20.0}
    assert named_ns(names, ["acme", long, "Zoë", "Bär", "other"]) == {
        "acme": 1.0,
        long: 2.0,
        "Zoë": 3.0,
        "Bär": 4.0,
    }


def test_a_name_that_two_tenants_share_is_nobodys():
    """Cut, they are the same; nobody knows whose load it is."""
    long = "t" * 70
    assert named_ns({long[:63]: 1.0}, [long + "a", long + "b"]) == {}
