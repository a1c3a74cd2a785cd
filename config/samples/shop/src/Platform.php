<?php

declare(strict_types=1);

namespace Shop;

use RuntimeException;

/** What the platform tells an application: through environment variables and nothing else. */
final class Platform
{
    public const ROOT = __DIR__ . '/..';

    public static function version(): string
    {
        return trim((string) file_get_contents(self::ROOT . '/VERSION'));
    }

    public static function branch(): string
    {
        return getenv('MAGENTO_CLOUD_BRANCH') ?: 'none';
    }

    public static function environment(): string
    {
        return getenv('MAGENTO_CLOUD_ENVIRONMENT') ?: 'none';
    }

    public static function treeId(): string
    {
        return getenv('MAGENTO_CLOUD_TREE_ID') ?: 'none';
    }

    /**
     * The first endpoint of a relationship.
     *
     * @return array<string, mixed>
     */
    public static function relationship(string $name): array
    {
        $text = getenv('MAGENTO_CLOUD_RELATIONSHIPS');
        if ($text === false) {
            throw new RuntimeException('MAGENTO_CLOUD_RELATIONSHIPS is not set: this is a build, or no environment');
        }
        $all = json_decode((string) base64_decode($text, true), true, 64, JSON_THROW_ON_ERROR);
        return $all[$name][0] ?? throw new RuntimeException("there is no relationship named $name");
    }

    /** @return array<string, mixed> What the build hook wrote. */
    public static function build(): array
    {
        $text = @file_get_contents(self::ROOT . '/build.json');
        return $text === false ? [] : (array) json_decode($text, true);
    }

    /** Whether the mount can be written to, by writing to it. */
    public static function mountIsWritable(string $mount): bool
    {
        $file = self::ROOT . "/$mount/.written-" . getmypid();
        $written = @file_put_contents($file, 'x') === 1;
        if ($written) {
            unlink($file);
        }
        return $written;
    }

    /** Whether the application's own code can be written to. It must not be. */
    public static function codeIsReadOnly(): bool
    {
        $file = self::ROOT . '/.written-' . getmypid();
        if (@file_put_contents($file, 'x') !== 1) {
            return true;
        }
        unlink($file);
        return false;
    }
}
