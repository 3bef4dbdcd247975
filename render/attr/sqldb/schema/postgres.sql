-- Devices in PostgreSQL, with sample data:  psql -d provisioning -f postgres.sql
--
--   devices:
--     - sql:
--         driver: postgres
--         dsn_file: /etc/dcs/postgres.dsn        # host=db.example.net dbname=provisioning user=dcs password=…
--         query: SELECT * FROM dcs_devices
--         changed_query: SELECT * FROM dcs_changes WHERE changed >= $1
--         channel: dcs
--         ask_query: SELECT * FROM dcs_devices WHERE mac = $1::macaddr
--
-- A trigger keeps the time of each change, leaves the address of a device that is deleted
-- in devices_gone, and notifies the channel dcs. For a user that reads only:
--   CREATE ROLE dcs LOGIN PASSWORD '…';
--   GRANT SELECT ON dcs_devices, dcs_changes TO dcs;

BEGIN;

CREATE TABLE devices (
  mac      macaddr PRIMARY KEY,
  ip       inet UNIQUE CHECK (ip = host(ip)::inet),
  profile  text,
  down     bigint CHECK (down >= 0), -- kbit/s
  up       bigint CHECK (up >= 0),   -- kbit/s
  max_cpe  smallint CHECK (max_cpe BETWEEN 1 AND 254),
  firmware text,
  changed  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON devices (changed);

CREATE TABLE devices_gone (
  mac     macaddr PRIMARY KEY,
  changed timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON devices_gone (changed);

CREATE FUNCTION devices_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.changed := clock_timestamp();
  RETURN NEW;
END $$;
CREATE TRIGGER devices_stamp BEFORE INSERT OR UPDATE ON devices
  FOR EACH ROW EXECUTE FUNCTION devices_stamp();

CREATE FUNCTION devices_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND (TG_OP = 'DELETE' OR OLD.mac <> NEW.mac) THEN
    INSERT INTO devices_gone VALUES (OLD.mac) ON CONFLICT (mac) DO UPDATE SET changed = EXCLUDED.changed;
    PERFORM pg_notify('dcs', OLD.mac::text);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    DELETE FROM devices_gone WHERE mac = NEW.mac;
    PERFORM pg_notify('dcs', NEW.mac::text);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER devices_changed AFTER INSERT OR UPDATE OR DELETE ON devices
  FOR EACH ROW EXECUTE FUNCTION devices_changed();

CREATE VIEW dcs_devices AS
  SELECT mac, ip, profile, down, up, max_cpe, firmware, changed FROM devices;
CREATE VIEW dcs_changes AS
  SELECT mac, ip, profile, down, up, max_cpe, firmware, changed, false AS gone FROM devices
  UNION ALL
  SELECT mac, NULL, NULL, NULL, NULL, NULL, NULL, changed, true FROM devices_gone;

INSERT INTO devices (mac, ip, profile, down, up, max_cpe, firmware) VALUES
  ('00:00:5e:00:53:01', '192.0.2.1', 'gold', 1000000, 50000, 16, NULL),
  ('00:00:5e:00:53:02', '192.0.2.2', 'silver', 250000, 25000, 4, 'modem-2.1.bin'),
  ('00:00:5e:00:53:03', NULL, 'bronze', 50000, 10000, 1, NULL);

COMMIT;
