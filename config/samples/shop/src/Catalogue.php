<?php

declare(strict_types=1);

namespace Shop;

use PDO;

/** The products. */
final class Catalogue
{
    public function __construct(private readonly PDO $database)
    {
    }

    /** @return array<int, array<string, mixed>> {id: product} */
    public function all(): array
    {
        $products = [];
        foreach ($this->database->query('SELECT * FROM products ORDER BY id') as $row) {
            $products[(int) $row['id']] = $row;
        }
        return $products;
    }

    public function count(): int
    {
        return (int) $this->database->query('SELECT COUNT(*) FROM products')->fetchColumn();
    }
}
