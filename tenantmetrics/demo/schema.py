"""The demo's booking schema: shared tables, tenant tables under row-level security, a history.

The application's role owns nothing, is not a superuser and cannot bypass row-level security. The
policies are forced on the owner too: what isolates here isolates for real.
"""

from __future__ import annotations

__all__ = ["APPLICATION_ROLE", "CHATTY", "HEAVY", "STATEMENTS", "TENANTS"]

APPLICATION_ROLE = "hotel_app"

TENANTS = (
    "seaside-resort",
    "alpine-lodge",
    "city-inn",
    "grand-palace",
    "lakeview",
    "old-mill",
    "harbour-house",
    "sunny-beach",
    "forest-retreat",
    "royal-garden",
    "blue-lagoon",
    "station-hotel",
    "vineyard",
    "golden-gate",
    "castle-keep",
    "river-lodge",
    "desert-rose",
    "northern-star",
    "olive-grove",
    "red-rock",
    "quiet-corner",
    "windmill",
    "lighthouse",
    "tiny-cabin",
)
"""From the tenant with the most calls to the one with the fewest."""

CHATTY = "seaside-resort"
"""Makes most of the calls, nearly all of them look-ups by a key."""

HEAVY = "northern-star"
"""Makes few calls: evaluations of a long history."""

STATEMENTS = (
    """
    CREATE TABLE amenities (
        id int PRIMARY KEY,
        name text NOT NULL
    )
    """,
    "INSERT INTO amenities SELECT n, 'amenity ' || n FROM generate_series(1, 20) AS n",
    """
    CREATE TABLE rooms (
        tenant_id text NOT NULL,
        room int NOT NULL,
        price_per_night numeric(10, 2) NOT NULL,
        PRIMARY KEY (tenant_id, room)
    )
    """,
    """
    CREATE TABLE bookings (
        tenant_id text NOT NULL DEFAULT current_setting('app.current_tenant_id'),
        id uuid NOT NULL DEFAULT gen_random_uuid(),
        room int NOT NULL,
        guest text NOT NULL,
        nights int NOT NULL CHECK (nights > 0),
        total numeric(10, 2) NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant_id, id)
    )
    """,
    "CREATE TABLE events (tenant_id text NOT NULL, kind text NOT NULL, detail text NOT NULL)",
    "CREATE TABLE photos (tenant_id text NOT NULL, image bytea NOT NULL)",
    """
    CREATE TABLE stays (
        tenant_id text NOT NULL,
        room int NOT NULL,
        arrived date NOT NULL,
        nights int NOT NULL,
        total numeric(10, 2) NOT NULL
    )
    """,
    "ALTER TABLE bookings ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE bookings FORCE ROW LEVEL SECURITY",
    """
    CREATE POLICY one_tenant ON bookings
        USING (tenant_id = current_setting('app.current_tenant_id', true))
        WITH CHECK (tenant_id = current_setting('app.current_tenant_id', true))
    """,
    f"GRANT SELECT ON amenities, rooms, stays TO {APPLICATION_ROLE}",
    f"GRANT SELECT, INSERT, UPDATE, DELETE ON bookings TO {APPLICATION_ROLE}",
    f"GRANT SELECT, INSERT ON events, photos TO {APPLICATION_ROLE}",
    """
    INSERT INTO rooms
    SELECT tenant, room, 60 + room * 7
    FROM unnest(string_to_array(:tenants, ',')) AS tenant, generate_series(1, 30) AS room
    """,
    # Years of stays: a long history for one tenant, shorter ones for the others.
    """
    INSERT INTO stays
    SELECT tenant, 1 + n % 30, date '2022-01-01' + n % 1700, 1 + n % 14, 60 + (n * 7919) % 900
    FROM unnest(string_to_array(:tenants, ',')) WITH ORDINALITY AS t (tenant, rank),
         generate_series(
             1, CASE WHEN tenant = :heavy THEN 100000 ELSE 5000 + 40000 / rank::int END
         ) AS n
    """,
    "CREATE INDEX ON stays (tenant_id)",
    "ANALYZE",
)
