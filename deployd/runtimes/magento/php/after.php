<?php
// Caches are cleared before visitors see the new version, and pages are asked for afterwards.
declare(strict_types=1);

namespace Deployd\Magento;

const WARM_UP_SECONDS = 60;
const MOST_PAGES = 1000;

/** Without starting Magento: those of Redis by their databases, those of files with their folders. */
function clear_caches(): void
{
    foreach (['cache', 'page_cache', 'di', 'generation'] as $folder) {
        clean_folder("var/$folder");
    }
    $env = read_configuration(ENV);
    foreach ($env['cache']['frontend'] ?? [] as $name => $frontend) {
        $options = $frontend['backend_options'] ?? [];
        $options = $options['remote_backend_options'] ?? $options;
        if (isset($options['server']) && !flush_redis($options)) {
            say("warning: the cache $name at {$options['server']} does not answer, and is not cleared");
        }
    }
    if (empty($env['cache_types'])) {   // env.php was lost, and with it which caches are on
        magento_or_refuse('deploy', ['cache:enable'], 'caches cannot be switched on', 'mend what it says');
    }
    say('cleared');
}

function flush_redis(array $options): bool
{
    $socket = @fsockopen((string) $options['server'], (int) ($options['port'] ?? 6379), $code, $said, 5.0);
    if ($socket === false) {
        return false;
    }
    stream_set_timeout($socket, 30);
    $password = (string) ($options['password'] ?? '');
    $commands = [['SELECT', (string) ($options['database'] ?? 0)], ['FLUSHDB']];
    if ($password !== '') {
        array_unshift($commands, ['AUTH', $password]);
    }
    foreach ($commands as $words) {
        $text = '*' . count($words) . "\r\n";
        foreach ($words as $word) {
            $text .= '$' . strlen($word) . "\r\n$word\r\n";
        }
        fwrite($socket, $text);
        if (strpos((string) fgets($socket), '+OK') !== 0) {
            return false;
        }
    }
    return true;
}

/** A page that does not answer fails nothing: visitors are on the new version already. */
function warm_up(): void
{
    $settings = settings_of('post-deploy');
    $base = base_urls()['secure'];
    $pages = array_slice(pages($settings['WARM_UP_PAGES'], $base), 0, MOST_PAGES);
    $at_once = max(1, min(32, (int) $settings['WARM_UP_CONCURRENCY'] ?: 4));
    foreach (array_chunk($pages, $at_once) as $some) {
        fetch($some);
    }
    foreach (pages($settings['TTFB_TESTED_PAGES'], $base) as $page) {
        fetch([$page], 'first byte after');
    }
}

/** Addresses of this shop; patterns (`category:*:*`) need ece-tools. */
function pages(array $written, string $base): array
{
    $found = [];
    foreach (array_filter($written, 'is_scalar') as $page) {
        $page = (string) $page;
        if (preg_match('#^https?://#', $page)) {
            if (is_ours((string) parse_url($page, PHP_URL_HOST))) {
                $found[] = $page;
            } else {
                say("warning: $page is no address of this environment: left out");
            }
        } elseif (strpos($page, ':') !== false) {
            say("warning: $page is a pattern, and only ece-tools know its pages: left out");
        } else {
            $found[] = $base . ltrim($page, '/');
        }
    }
    return $found;
}

function fetch(array $pages, string $words = 'in'): void
{
    $several = curl_multi_init();
    $requests = [];
    foreach ($pages as $page) {
        $request = curl_init($page);
        curl_setopt_array($request, [
            CURLOPT_RETURNTRANSFER => true, CURLOPT_FOLLOWLOCATION => true, CURLOPT_MAXREDIRS => 5,
            CURLOPT_TIMEOUT => WARM_UP_SECONDS, CURLOPT_USERAGENT => 'deployd warm-up',
            CURLOPT_SSL_VERIFYPEER => false, CURLOPT_SSL_VERIFYHOST => 0,   // our own router, whoever signed for it
            CURLOPT_PROTOCOLS => CURLPROTO_HTTP | CURLPROTO_HTTPS,
        ]);
        curl_multi_add_handle($several, $request);
        $requests[$page] = $request;
    }
    do {
        curl_multi_exec($several, $running);
        curl_multi_select($several, 1.0);
    } while ($running);
    foreach ($requests as $page => $request) {
        $status = curl_getinfo($request, CURLINFO_RESPONSE_CODE);
        $seconds = curl_getinfo($request, $words === 'in' ? CURLINFO_TOTAL_TIME : CURLINFO_STARTTRANSFER_TIME);
        $failed = $status >= 400 || $status === 0;
        say(($failed ? 'warning: ' : '') . "$page: " . ($status ?: curl_error($request) ?: 'no answer')
            . sprintf(" $words %.2f s", $seconds));
    }
}
