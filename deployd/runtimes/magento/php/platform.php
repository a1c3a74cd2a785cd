<?php
// What the environment says in its variables: relationships, routes, the application, the project's own variables.
declare(strict_types=1);

namespace Deployd\Magento;

function decoded(string $name): array
{
    $found = json_decode((string) base64_decode((string) getenv("MAGENTO_CLOUD_$name"), true), true);
    return is_array($found) ? $found : [];
}

const OTHER_VARIABLES = [
    'CRYPT_KEY', 'APPLICATION_MODE', 'ADMIN_EMAIL', 'ADMIN_USERNAME', 'ADMIN_FIRSTNAME', 'ADMIN_LASTNAME',
    'ADMIN_PASSWORD', 'ADMIN_URL', 'ADMIN_LOCALE',
];

/** The project's variables without a prefix, and those of the environment over them. */
function variables(): array
{
    $found = decoded('VARIABLES');
    foreach ([...array_keys(DEFAULTS), ...OTHER_VARIABLES] as $name) {
        if (getenv($name) !== false && getenv($name) !== '') {
            $value = (string) getenv($name);
            $found[$name] = json_decode($value, true) ?? $value;
        }
    }
    return $found;
}

function text_variable(string $name, string $default = ''): string
{
    $value = variables()[$name] ?? '';
    return is_scalar($value) && (string) $value !== '' ? (string) $value : $default;
}

/** The first endpoint of the first relationship that has one of these names; else of one that speaks this scheme. */
function related(array $names, string $scheme = ''): ?array
{
    $all = decoded('RELATIONSHIPS');
    foreach ($names as $name) {
        if (!empty($all[$name][0])) {
            return $all[$name][0];
        }
    }
    foreach ($scheme === '' ? [] : $all as $name => $endpoints) {
        if (($endpoints[0]['scheme'] ?? '') === $scheme && strpos((string) $name, 'session') === false) {
            return $endpoints[0];
        }
    }
    return null;
}

/** Folders below the root that stay, without outer slashes: what a build leaves there is not seen later. */
function mounts(): array
{
    return array_map(fn ($path) => trim((string) $path, '/'), array_keys(decoded('APPLICATION')['mounts'] ?? []));
}

/** ['unsecure' => URL, 'secure' => URL] of the route that the shop is reached by. HTTP alone means HTTPS too. */
function base_urls(): array
{
    $found = [];
    $application = (string) (decoded('APPLICATION')['name'] ?? '');
    foreach (decoded('ROUTES') as $url => $route) {
        $leads_to = strtok((string) ($route['upstream'] ?? ''), ':');
        if (($route['type'] ?? '') !== 'upstream' || $leads_to !== $application) {
            continue;
        }
        $kind = strpos((string) $url, 'https://') === 0 ? 'secure' : 'unsecure';
        $host = (string) parse_url((string) ($route['original_url'] ?? ''), PHP_URL_HOST);
        $rank = !empty($route['primary']) ? 0 : (in_array($host, ['{default}', 'www.{default}'], true) ? 1 : 2);
        if (!isset($found[$kind]) || $rank < $found[$kind][0]) {
            $found[$kind] = [$rank, (string) $url];
        }
    }
    if (!$found) {
        throw new Refused("no route leads to the application $application", 'routes.yaml', [],
                          "write one with `type: upstream` and `upstream: \"$application:http\"`");
    }
    $unsecure = ($found['unsecure'] ?? $found['secure'])[1];
    $secure = isset($found['secure']) ? $found['secure'][1] : 'https://' . substr($unsecure, strlen('http://'));
    return ['unsecure' => rtrim($unsecure, '/') . '/', 'secure' => rtrim($secure, '/') . '/'];
}
