<?php
// `env.php` from relationships and settings. What is right stays: the crypt key, connections that nothing here knows
// of, options of those it does, prefixes of caches; a file that says it all already is not written.
declare(strict_types=1);

namespace Deployd\Magento;

const CONNECTION = ['model' => 'mysql4', 'engine' => 'innodb', 'initStatements' => 'SET NAMES utf8;', 'active' => '1'];
const DATABASES_OF_CACHE = ['default' => 1, 'page_cache' => 2];
const SYNCHRONIZED = '\Magento\Framework\Cache\Backend\RemoteSynchronizedCache';

function configure(): void
{
    if (!state()['installed']) {
        say('made by the installation');
        return;
    }
    write_env();
}

function write_env(): void
{
    $before = read_configuration(ENV);
    $wanted = wanted_env($before);
    $changed = write_configuration(ENV, $wanted);
    $other = array_filter(array_keys($wanted), fn ($key) => ($before[$key] ?? null) !== $wanted[$key]);
    say($changed ? 'env.php is written: ' . listed($other) : 'env.php is as it should be');
}

function wanted_env(array $env): array
{
    $settings = settings_of('deploy');
    $env['crypt']['key'] = crypt_key($env);
    if ($env['crypt']['key'] === '') {
        unset($env['crypt']);
    }
    $env['db'] = wanted_database($env['db'] ?? []);
    $env['resource'] = wanted_resources($env);
    $env = wanted_cache($env, $settings);
    $env['session'] = wanted_session($env['session'] ?? [], $settings);
    $env['queue'] = wanted_queue($settings);
    $env['lock'] = wanted_lock($settings);
    $search = wanted_search($settings);
    if ($search) {
        $env['system']['default']['catalog']['search'] = $search;
    }
    $runner = $settings['CRON_CONSUMERS_RUNNER'];
    $env['cron_consumers_runner'] = [
        'cron_run' => ($runner['cron_run'] ?? false) === true,
        'max_messages' => (int) ($runner['max_messages'] ?? 10000),
        'consumers' => (array) ($runner['consumers'] ?? []),
        'multiple_processes' => (array) ($runner['multiple_processes'] ?? []),
    ];
    $env['MAGE_MODE'] = mode();
    $env['static_content_on_demand_in_production'] = (int) (bool) $settings['SCD_ON_DEMAND'];
    $env['force_html_minification'] = (int) (bool) $settings['SKIP_HTML_MINIFICATION'];
    $env['x-frame-options'] = (string) $settings['X_FRAME_CONFIGURATION'];
    $env['directories']['document_root_is_pub'] = basename((string) getenv('MAGENTO_CLOUD_DOCUMENT_ROOT')) === 'pub';
    $env['backend']['frontName'] = admin_path($env);
    $env['install']['date'] = $env['install']['date'] ?? date('r');
    return $env;
}

function mode(): string
{
    $mode = text_variable('APPLICATION_MODE', 'production');
    if (!in_array($mode, ['production', 'developer', 'default'], true)) {
        throw new Refused("APPLICATION_MODE says `$mode`", 'variables', [], 'write `production` or `developer`');
    }
    return $mode;
}

function admin_path(array $env): string
{
    $path = trim(text_variable('ADMIN_URL', (string) ($env['backend']['frontName'] ?? 'admin')), '/');
    if (!preg_match('/^[A-Za-z0-9_]+$/D', $path)) {
        throw new Refused("ADMIN_URL says `$path`", 'variables', [],
                          'write a word of letters, digits and `_`, and no address');
    }
    return $path;
}

function crypt_key(array $env): string
{
    return (string) ($env['crypt']['key'] ?? '') ?: text_variable('CRYPT_KEY');
}

/** {connection, …} of env.php; connections that no relationship stands for (`checkout`, `sales`) stay as they are. */
function wanted_database(array $db): array
{
    $settings = settings_of('deploy');
    $found = [];
    $main = related(['database', 'mysql', 'db'], 'mysql');
    if ($main) {
        foreach (['default', 'indexer'] as $name) {
            $found['connection'][$name] = connection($main);
        }
    }
    foreach (['checkout' => 'database-quote', 'sales' => 'database-sales'] as $name => $relationship) {
        if (isset($db['connection'][$name]) && ($endpoint = related([$relationship]))) {
            $found['connection'][$name] = connection($endpoint);
        }
    }
    if ($settings['MYSQL_USE_SLAVE_CONNECTION'] && ($endpoint = related(['database-slave']))) {
        $found['slave_connection']['default'] = connection($endpoint) + ['synchronous_replication' => true];
    }
    $found = merged($found, $settings['DATABASE_CONFIGURATION']);
    foreach (['connection', 'slave_connection'] as $kind) {
        foreach ($found[$kind] ?? [] as $name => $connection) {
            $db[$kind][$name] = array_replace($db[$kind][$name] ?? CONNECTION, (array) $connection);
        }
    }
    if (!$settings['MYSQL_USE_SLAVE_CONNECTION'] && empty($found['slave_connection'])) {
        unset($db['slave_connection']);
    }
    unset($found['connection'], $found['slave_connection']);
    $db = array_replace($db, $found);
    $db['table_prefix'] = (string) ($db['table_prefix'] ?? '');
    if (empty($db['connection']['default']['host'])) {
        throw new Refused('Magento has no database', 'relationships', [],
                          'write `relationships: {database: "mysql:mysql"}`, or DATABASE_CONFIGURATION in '
                          . '.magento.env.yaml');
    }
    return $db;
}

function connection(array $endpoint): array
{
    $port = (int) ($endpoint['port'] ?? 3306);
    return [
        'host' => $endpoint['host'] . ($port === 3306 ? '' : ":$port"),
        'dbname' => (string) ($endpoint['path'] ?? ''),
        'username' => (string) ($endpoint['username'] ?? ''),
        'password' => (string) ($endpoint['password'] ?? ''),
    ];
}

function wanted_resources(array $env): array
{
    $found = ['default_setup' => ['connection' => 'default']];
    foreach (['checkout', 'sales'] as $name) {
        if (isset($env['db']['connection'][$name])) {
            $found[$name] = ['connection' => $name];
        }
    }
    return merged($found, settings_of('deploy')['RESOURCE_CONFIGURATION']) + ($env['resource'] ?? []);
}

function wanted_cache(array $env, array $settings): array
{
    $redis = related(['redis', 'valkey', 'cache'], 'redis');
    $found = [];
    foreach ($env['cache']['frontend'] ?? [] as $name => $frontend) {
        // One in a Redis that is gone keeps its prefix alone.
        $gone = stripos((string) ($frontend['backend'] ?? ''), 'redis') !== false
            || ($frontend['backend'] ?? '') === SYNCHRONIZED;
        $found['frontend'][$name] = $gone ? array_intersect_key($frontend, ['id_prefix' => 1]) : $frontend;
    }
    foreach ($redis ? DATABASES_OF_CACHE : [] as $name => $number) {
        $own = cache_frontend((string) $settings['REDIS_BACKEND'], $redis, $number);
        $found['frontend'][$name] = array_replace($found['frontend'][$name] ?? [], $own);
    }
    $found = merged($found, $settings['CACHE_CONFIGURATION']);
    if (isset($env['cache']['graphql'])) {   // its key must stay: what visitors hold is made with it
        $found['graphql'] = $env['cache']['graphql'];
    }
    if ($found) {
        $env['cache'] = $found + array_diff_key($env['cache'] ?? [], ['frontend' => 1, 'type' => 1]);
    } else {
        unset($env['cache']);
    }
    return $env;
}

function cache_frontend(string $backend, array $redis, int $number): array
{
    $options = ['server' => $redis['host'], 'port' => (int) $redis['port'], 'database' => $number]
        + (empty($redis['password']) ? [] : ['password' => (string) $redis['password']]);
    if ($backend !== SYNCHRONIZED) {
        return ['backend' => $backend, 'backend_options' => $options];
    }
    return [
        'backend' => $backend,
        'backend_options' => [
            'remote_backend' => '\Magento\Framework\Cache\Backend\Redis', 'remote_backend_options' => $options,
            'local_backend' => 'Cm_Cache_Backend_File', 'local_backend_options' => ['cache_dir' => '/dev/shm/'],
        ],
        'frontend_options' => ['write_control' => false],
    ];
}

function wanted_session(array $session, array $settings): array
{
    $redis = related(['redis-session', 'valkey-session', 'redis', 'valkey', 'cache'], 'redis');
    $found = ['save' => ($session['save'] ?? 'db') === 'redis' ? 'db' : $session['save'] ?? 'db'];
    if ($redis) {
        $own = ['host' => $redis['host'], 'port' => (int) $redis['port'], 'database' => 0, 'disable_locking' => 1]
            + (empty($redis['password']) ? [] : ['password' => (string) $redis['password']]);
        $found = ['save' => 'redis', 'redis' => array_replace((array) ($session['redis'] ?? []), $own)];
    }
    return merged($found, $settings['SESSION_CONFIGURATION']);
}

function wanted_queue(array $settings): array
{
    $queue = related(['rabbitmq', 'mq', 'amqp'], 'amqp');
    $found = $queue ? ['amqp' => [
        'host' => $queue['host'], 'port' => (int) $queue['port'], 'user' => (string) ($queue['username'] ?? ''),
        'password' => (string) ($queue['password'] ?? ''),
        'virtualhost' => (string) ($queue['vhost'] ?? $queue['path'] ?? '') ?: '/',
    ]] : [];
    return merged($found, $settings['QUEUE_CONFIGURATION'])
        + ['consumers_wait_for_messages' => $settings['CONSUMERS_WAIT_FOR_MAX_MESSAGES'] ? 1 : 0];
}

function wanted_lock(array $settings): array
{
    $folder = (string) getenv('MAGENTO_CLOUD_LOCKS_DIR');
    if ($settings['LOCK_PROVIDER'] === 'file' && $folder !== '') {
        return ['provider' => 'file', 'config' => ['path' => $folder]];
    }
    return ['provider' => 'db', 'config' => ['prefix' => null]];
}

/** What Magento calls the engine, and where it is; [] without any. */
function wanted_search(array $settings): array
{
    [$prefix, $endpoint] = search_engine();
    $found = [];
    if ($endpoint) {
        $found = ['engine' => $prefix, "{$prefix}_server_hostname" => $endpoint['host'],
                  "{$prefix}_server_port" => (string) $endpoint['port'], "{$prefix}_enable_auth" => '0'];
        if (!empty($endpoint['username']) && !empty($endpoint['password'])) {
            $found = array_replace($found, [
                "{$prefix}_enable_auth" => '1', "{$prefix}_username" => $endpoint['username'],
                "{$prefix}_password" => $endpoint['password'],
            ]);
        }
    }
    return merged($found, $settings['SEARCH_CONFIGURATION']);
}

/** [name of the engine, its endpoint or null] */
function search_engine(): array
{
    $open = related(['opensearch']);
    if ($open) {
        return [is_at_least('2.4.6') ? 'opensearch' : 'elasticsearch7', $open];
    }
    $elastic = related(['elasticsearch']);
    $version = (int) (explode(':', (string) ($elastic['type'] ?? ''))[1] ?? 7);
    return ['elasticsearch' . ($version ?: 7), $elastic];
}
