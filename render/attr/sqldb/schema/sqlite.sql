-- Devices in SQLite, with sample data:  sqlite3 /var/lib/dcs/devices.sqlite < sqlite.sql
--
--   devices:
--     - sql:
--         driver: sqlite
--         dsn: /var/lib/dcs/devices.sqlite
--         query: SELECT * FROM dcs_devices
--         changed_query: SELECT * FROM dcs_changes WHERE changed >= ?
--         ask_query: SELECT * FROM dcs_devices WHERE mac = ?
--
-- Each change of a device gets the next number of a counter, which triggers keep; a
-- device that is deleted leaves its address in devices_gone.

PRAGMA journal_mode = WAL; -- who reads does not keep others from writing

CREATE TABLE devices (
  mac      TEXT PRIMARY KEY CHECK (mac GLOB '[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]'),
  ip       TEXT UNIQUE,
  profile  TEXT,
  down     INTEGER CHECK (down >= 0), -- kbit/s
  up       INTEGER CHECK (up >= 0),   -- kbit/s
  max_cpe  INTEGER CHECK (max_cpe BETWEEN 1 AND 254),
  firmware TEXT,
  changed  INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX devices_changed ON devices (changed);

CREATE TABLE devices_gone (
  mac     TEXT PRIMARY KEY,
  changed INTEGER NOT NULL
);
CREATE INDEX devices_gone_changed ON devices_gone (changed);

CREATE TABLE devices_counter (n INTEGER NOT NULL);
INSERT INTO devices_counter VALUES (0);

CREATE TRIGGER devices_insert AFTER INSERT ON devices BEGIN
  UPDATE devices_counter SET n = n + 1;
  UPDATE devices SET changed = (SELECT n FROM devices_counter) WHERE mac = NEW.mac;
  DELETE FROM devices_gone WHERE mac = NEW.mac;
END;
CREATE TRIGGER devices_update AFTER UPDATE OF mac, ip, profile, down, up, max_cpe, firmware ON devices BEGIN
  UPDATE devices_counter SET n = n + 1;
  UPDATE devices SET changed = (SELECT n FROM devices_counter) WHERE mac = NEW.mac;
  DELETE FROM devices_gone WHERE mac = NEW.mac;
  INSERT OR REPLACE INTO devices_gone SELECT OLD.mac, n FROM devices_counter WHERE OLD.mac <> NEW.mac;
END;
CREATE TRIGGER devices_delete AFTER DELETE ON devices BEGIN
  UPDATE devices_counter SET n = n + 1;
  INSERT OR REPLACE INTO devices_gone SELECT OLD.mac, n FROM devices_counter;
END;

CREATE VIEW dcs_devices AS
  SELECT mac, ip, profile, down, up, max_cpe, firmware, changed FROM devices;
CREATE VIEW dcs_changes AS
  SELECT mac, ip, profile, down, up, max_cpe, firmware, changed, 0 AS gone FROM devices
  UNION ALL
  SELECT mac, NULL, NULL, NULL, NULL, NULL, NULL, changed, 1 FROM devices_gone;

INSERT INTO devices (mac, ip, profile, down, up, max_cpe, firmware) VALUES
  ('00:00:5e:00:53:01', '192.0.2.1', 'gold', 1000000, 50000, 16, NULL),
  ('00:00:5e:00:53:02', '192.0.2.2', 'silver', 250000, 25000, 4, 'modem-2.1.bin'),
  ('00:00:5e:00:53:03', NULL, 'bronze', 50000, 10000, 1, NULL);
