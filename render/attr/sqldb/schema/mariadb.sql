-- Devices in MariaDB, with sample data:  mariadb provisioning < mariadb.sql
--
--   devices:
--     - sql:
--         driver: mysql
--         dsn_file: /etc/dcs/mariadb.dsn         # dcs:password@tcp(db.example.net:3306)/provisioning
--         query: SELECT * FROM dcs_devices
--         changed_query: SELECT * FROM dcs_changes WHERE changed >= ?
--         ask_query: SELECT * FROM dcs_devices WHERE mac = ?
--
-- A device that is deleted leaves its address in devices_gone. For a user that reads only:
--   CREATE USER dcs IDENTIFIED BY '…';
--   GRANT SELECT ON provisioning.dcs_devices TO dcs;
--   GRANT SELECT ON provisioning.dcs_changes TO dcs;

CREATE TABLE devices (
  mac      CHAR(17) CHARACTER SET ascii PRIMARY KEY CHECK (mac REGEXP '^[0-9a-f]{2}(:[0-9a-f]{2}){5}$'),
  ip       VARCHAR(45) CHARACTER SET ascii UNIQUE,
  profile  VARCHAR(64),
  down     BIGINT UNSIGNED, -- kbit/s
  up       BIGINT UNSIGNED, -- kbit/s
  max_cpe  TINYINT UNSIGNED CHECK (max_cpe BETWEEN 1 AND 254),
  firmware VARCHAR(255),
  changed  TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  INDEX (changed)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE devices_gone (
  mac     CHAR(17) CHARACTER SET ascii PRIMARY KEY,
  changed TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  INDEX (changed)
) ENGINE = InnoDB;

DELIMITER //
CREATE TRIGGER devices_insert AFTER INSERT ON devices FOR EACH ROW
  DELETE FROM devices_gone WHERE mac = NEW.mac//
CREATE TRIGGER devices_update AFTER UPDATE ON devices FOR EACH ROW
  IF OLD.mac <> NEW.mac THEN
    DELETE FROM devices_gone WHERE mac = NEW.mac;
    REPLACE INTO devices_gone (mac) VALUES (OLD.mac);
  END IF//
CREATE TRIGGER devices_delete AFTER DELETE ON devices FOR EACH ROW
  REPLACE INTO devices_gone (mac) VALUES (OLD.mac)//
DELIMITER ;

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
