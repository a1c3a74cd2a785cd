<?php

declare(strict_types=1);

namespace Shop;

use PDO;
use Redis;

/** Opens the services that the relationships name, each at its first use. */
final class Connections
{
    private ?PDO $database = null;
    private ?Redis $redis = null;

    public function database(): PDO
    {
        if ($this->database === null) {
            $to = Platform::relationship('database');
            $this->database = new PDO(
                "mysql:host={$to['host']};port={$to['port']};dbname={$to['path']};charset=utf8mb4",
                $to['username'],
                $to['password'],
                [
                    PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
                    PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
                    PDO::ATTR_TIMEOUT => 5,
                ],
            );
        }
        return $this->database;
    }

    public function redis(): Redis
    {
        if ($this->redis === null) {
            $to = Platform::relationship('redis');
            $redis = new Redis();
            $redis->connect($to['host'], (int) $to['port'], 5.0);
            if (($to['password'] ?? null) !== null && $to['password'] !== '') {
                $redis->auth($to['password']);
            }
            $this->redis = $redis;
        }
        return $this->redis;
    }
}
