CREATE TABLE IF NOT EXISTS orders (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    made_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    version VARCHAR(20) NOT NULL,
    total_cents INT UNSIGNED NOT NULL,
    mailed_at DATETIME(3) NULL,
    KEY waiting (mailed_at, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS order_lines (
    order_id BIGINT UNSIGNED NOT NULL,
    product_id INT UNSIGNED NOT NULL,
    quantity SMALLINT UNSIGNED NOT NULL,
    price_cents INT UNSIGNED NOT NULL,
    PRIMARY KEY (order_id, product_id),
    CONSTRAINT line_of_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT line_of_product FOREIGN KEY (product_id) REFERENCES products (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
