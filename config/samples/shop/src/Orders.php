<?php

declare(strict_types=1);

namespace Shop;

use PDO;
use Redis;
use Throwable;

/** Orders: a row in MariaDB is the order; the list in Redis only wakes the mailer. */
final class Orders
{
    public const LIST = 'orders';

    public function __construct(private readonly PDO $database, private readonly Redis $redis)
    {
    }

    /**
     * @param array<int, int> $lines {product: quantity}
     * @return int The order's number.
     */
    public function place(array $lines, string $version): int
    {
        $prices = $this->database->query('SELECT id, price_cents FROM products')->fetchAll(PDO::FETCH_KEY_PAIR);
        $lines = array_intersect_key($lines, $prices);
        if ($lines === []) {
            throw new NothingOrdered('nothing in the order is a product of the shop');
        }
        $total = 0;
        foreach ($lines as $product => $quantity) {
            $total += $prices[$product] * $quantity;
        }
        $this->database->beginTransaction();
        try {
            $this->database->prepare('INSERT INTO orders (version, total_cents) VALUES (?, ?)')->execute([$version, $total]);
            $order = (int) $this->database->lastInsertId();
            $line = $this->database->prepare('INSERT INTO order_lines VALUES (?, ?, ?, ?)');
            foreach ($lines as $product => $quantity) {
                $line->execute([$order, $product, $quantity, $prices[$product]]);
            }
            $this->database->commit();
        } catch (Throwable $error) {
            $this->database->rollBack();
            throw $error;
        }
        $this->redis->rPush(self::LIST, (string) $order);
        return $order;
    }

    public function count(): int
    {
        return (int) $this->database->query('SELECT COUNT(*) FROM orders')->fetchColumn();
    }

    public function mailed(): int
    {
        return (int) $this->database->query('SELECT COUNT(*) FROM orders WHERE mailed_at IS NOT NULL')->fetchColumn();
    }

    /** @return list<int> Orders whose mail has not been sent, oldest first. */
    public function waiting(int $most = 100): array
    {
        $found = $this->database->query("SELECT id FROM orders WHERE mailed_at IS NULL ORDER BY id LIMIT $most");
        return array_map('intval', $found->fetchAll(PDO::FETCH_COLUMN));
    }

    /** True for exactly one caller: the old and the new mailer overlap for a moment in a deployment. */
    public function takeForMailing(int $order): bool
    {
        $update = $this->database->prepare('UPDATE orders SET mailed_at = NOW(3) WHERE id = ? AND mailed_at IS NULL');
        $update->execute([$order]);
        return $update->rowCount() === 1;
    }
}
