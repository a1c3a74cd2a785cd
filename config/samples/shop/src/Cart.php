<?php

declare(strict_types=1);

namespace Shop;

use Redis;

/** A visitor's cart: a hash in Redis, named by a random cookie, forgotten after an hour. */
final class Cart
{
    private const SECONDS = 3600;

    private function __construct(private readonly Redis $redis, private readonly string $id)
    {
    }

    public static function ofVisitor(Redis $redis, string $cookie): self
    {
        $id = preg_match('/^[0-9a-f]{32}$/', $cookie) === 1 ? $cookie : bin2hex(random_bytes(16));
        return new self($redis, $id);
    }

    public function id(): string
    {
        return $this->id;
    }

    public function add(int $product): void
    {
        $this->redis->hIncrBy("cart:$this->id", (string) $product, 1);
        $this->redis->expire("cart:$this->id", self::SECONDS);
    }

    /** @return array<int, int> {product: quantity} */
    public function lines(): array
    {
        return array_map('intval', $this->redis->hGetAll("cart:$this->id") ?: []);
    }

    public function clear(): void
    {
        $this->redis->del("cart:$this->id");
    }
}
