<?php

declare(strict_types=1);

namespace Shop;

/** Everything that the page shows about its environment, read now and not remembered. */
final class Status
{
    /** @return array<string, mixed> */
    public static function read(Connections $connections): array
    {
        $database = $connections->database();
        $redis = $connections->redis();
        $orders = new Orders($database, $redis);
        return [
            'version' => Platform::version(),
            'environment' => Platform::environment(),
            'branch' => Platform::branch(),
            'tree' => Platform::treeId(),
            'built_at' => Platform::build()['built_at'] ?? null,
            'container' => gethostname(),
            'php' => PHP_VERSION,
            'database' => (string) $database->query('SELECT VERSION()')->fetchColumn(),
            'database_host' => Platform::relationship('database')['host'],
            'redis' => (string) ($redis->info('server')['redis_version'] ?? '?'),
            'redis_answers' => $redis->ping() === true,
            'products' => (new Catalogue($database))->count(),
            'orders' => $orders->count(),
            'orders_mailed' => $orders->mailed(),
            'visits' => (int) $redis->incr('visits'),
            'migrations' => (int) $database->query('SELECT COUNT(*) FROM migrations')->fetchColumn(),
            'media_writable' => Platform::mountIsWritable('pub/media'),
            'var_writable' => Platform::mountIsWritable('var'),
            'code_read_only' => Platform::codeIsReadOnly(),
        ];
    }
}
