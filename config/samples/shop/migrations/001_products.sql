CREATE TABLE IF NOT EXISTS products (
    id INT UNSIGNED NOT NULL PRIMARY KEY,
    name VARCHAR(80) NOT NULL,
    about VARCHAR(200) NOT NULL,
    price_cents INT UNSIGNED NOT NULL,
    hue SMALLINT UNSIGNED NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

INSERT IGNORE INTO products (id, name, about, price_cents, hue) VALUES
    (1, 'Harbour lantern', 'Brass and ribbed glass, for the end of the pier.', 6900, 28),
    (2, 'Reading lamp', 'A small warm circle on the page and dark around it.', 4500, 205),
    (3, 'Garden light', 'Stands in the rain for twenty years.', 3800, 140),
    (4, 'Night light', 'As bright as a quarter moon.', 1900, 265),
    (5, 'Workshop lamp', 'Clamps to anything, shines into every corner.', 5200, 350),
    (6, 'Paper moon', 'Folded by hand from one sheet.', 2400, 48);
