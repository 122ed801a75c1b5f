-- uuid-ossp's functions without its library, so that migrations written for Aurora run here.
-- Results are those of RFC 9562; the node of version 1 is always random, never a network address.

CREATE FUNCTION uuid_nil() RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '00000000-0000-0000-0000-000000000000'::uuid;

CREATE FUNCTION uuid_ns_dns() RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid;

CREATE FUNCTION uuid_ns_url() RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '6ba7b811-9dad-11d1-80b4-00c04fd430c8'::uuid;

CREATE FUNCTION uuid_ns_oid() RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '6ba7b812-9dad-11d1-80b4-00c04fd430c8'::uuid;

CREATE FUNCTION uuid_ns_x500() RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '6ba7b814-9dad-11d1-80b4-00c04fd430c8'::uuid;

CREATE FUNCTION uuid_generate_v4() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN gen_random_uuid();

-- 16 bytes with version and variant put in.
CREATE FUNCTION uuid_ossp_stamp(raw bytea, version int) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN encode(
    set_byte(
        set_byte(raw, 6, (get_byte(raw, 6) & 15) | (version << 4)),
        8,
        (get_byte(raw, 8) & 63) | 128
    ),
    'hex'
)::uuid;

-- Clock sequence and node are the random bytes of a version 4; the multicast bit marks the node.
CREATE FUNCTION uuid_generate_v1mc() RETURNS uuid LANGUAGE plpgsql VOLATILE PARALLEL SAFE AS $body$
DECLARE
    random_bytes bytea := uuid_send(gen_random_uuid());
    -- 100 ns since 1582-10-15.
    ticks bigint := (extract(epoch FROM clock_timestamp()) * 10000000)::bigint
        + 122192928000000000;
    stamp bytea := int8send(ticks);
BEGIN
    random_bytes := set_byte(random_bytes, 10, get_byte(random_bytes, 10) | 1);
    RETURN @extschema@.uuid_ossp_stamp(
        substring(stamp FROM 5 FOR 4) || substring(stamp FROM 3 FOR 2)
            || substring(stamp FROM 1 FOR 2) || substring(random_bytes FROM 9 FOR 8),
        1
    );
END
$body$;

CREATE FUNCTION uuid_generate_v1() RETURNS uuid LANGUAGE plpgsql VOLATILE PARALLEL SAFE AS $body$
BEGIN
    RETURN @extschema@.uuid_generate_v1mc();
END
$body$;

CREATE FUNCTION uuid_generate_v3(namespace uuid, name text) RETURNS uuid
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $body$
BEGIN
    RETURN @extschema@.uuid_ossp_stamp(
        decode(md5(uuid_send(namespace) || convert_to(name, 'UTF8')), 'hex'),
        3
    );
END
$body$;

-- FIPS 180-4; PostgreSQL's own hash functions begin at SHA-224.
CREATE FUNCTION uuid_ossp_sha1(message bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $body$
DECLARE
    mask CONSTANT bigint := 4294967295;
    padded bytea := message || '\x80'
        || decode(repeat('00', (119 - length(message) % 64) % 64), 'hex')
        || int8send(length(message)::bigint * 8);
    h bigint[] := ARRAY[1732584193, 4023233417, 2562383102, 271733878, 3285377520];
    w bigint[];
    a bigint; b bigint; c bigint; d bigint; e bigint; f bigint; k bigint; t bigint;
BEGIN
    FOR block IN 0 .. length(padded) / 64 - 1 LOOP
        w := '{}';
        FOR i IN 0 .. 15 LOOP
            t := 0;
            FOR j IN 0 .. 3 LOOP
                t := t * 256 + get_byte(padded, block * 64 + i * 4 + j);
            END LOOP;
            w[i] := t;
        END LOOP;
        FOR i IN 16 .. 79 LOOP
            t := w[i - 3] # w[i - 8] # w[i - 14] # w[i - 16];
            w[i] := ((t << 1) | (t >> 31)) & mask;
        END LOOP;
        a := h[1]; b := h[2]; c := h[3]; d := h[4]; e := h[5];
        FOR i IN 0 .. 79 LOOP
            CASE
                WHEN i < 20 THEN f := (b & c) | ((mask - b) & d); k := 1518500249;
                WHEN i < 40 THEN f := b # c # d; k := 1859775393;
                WHEN i < 60 THEN f := (b & c) | (b & d) | (c & d); k := 2400959708;
                ELSE f := b # c # d; k := 3395469782;
            END CASE;
            t := ((((a << 5) | (a >> 27)) & mask) + f + e + k + w[i]) & mask;
            e := d; d := c; c := ((b << 30) | (b >> 2)) & mask; b := a; a := t;
        END LOOP;
        h := ARRAY[
            (h[1] + a) & mask, (h[2] + b) & mask, (h[3] + c) & mask,
            (h[4] + d) & mask, (h[5] + e) & mask
        ];
    END LOOP;
    RETURN decode(
        lpad(to_hex(h[1]), 8, '0') || lpad(to_hex(h[2]), 8, '0') || lpad(to_hex(h[3]), 8, '0')
            || lpad(to_hex(h[4]), 8, '0') || lpad(to_hex(h[5]), 8, '0'),
        'hex'
    );
END
$body$;

CREATE FUNCTION uuid_generate_v5(namespace uuid, name text) RETURNS uuid
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $body$
BEGIN
    RETURN @extschema@.uuid_ossp_stamp(
        substring(
            @extschema@.uuid_ossp_sha1(uuid_send(namespace) || convert_to(name, 'UTF8'))
            FROM 1 FOR 16
        ),
        5
    );
END
$body$;
