CREATE TABLE bookings (
    id serial PRIMARY KEY,
    tenant_id text NOT NULL,
    guest text NOT NULL,
    nights int NOT NULL
);
ALTER TABLE bookings ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON bookings
    USING (tenant_id = current_setting('app.current_tenant_id', true))
    WITH CHECK (tenant_id = current_setting('app.current_tenant_id', true));
GRANT SELECT, INSERT ON bookings TO app;
GRANT USAGE ON bookings_id_seq TO app;
