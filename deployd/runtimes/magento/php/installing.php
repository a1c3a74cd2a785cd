<?php
// What is there already, the installation, the upgrade when one is due, and the shop's addresses.
declare(strict_types=1);

namespace Deployd\Magento;

const BEGUN = 'app/etc/.deployd-installation-begun';
const MAINTENANCE_FLAG = 'var/.maintenance.flag';
const MAINTENANCE_BY_US = WORK . '/maintenance';
const UP_TO_DATE = 0;
const SCHEMA_STATUS = 'setup:db:status';
const SETTLED = 'app/etc/.deployd-schema-settled';   // what an upgrade went by after which the status said the same
const PRODUCTION = '/^(master|main|production|staging)/i';

function look(): void
{
    @unlink(WORK . '/state.json');
    $installed = is_installed();
    state(['installed' => $installed]);
    say($installed ? 'Magento is installed' : 'Magento is not installed yet');
    if ($installed && crypt_key(read_configuration(ENV)) === '') {
        throw new Refused('the database holds a Magento, and the key of its data is not here', ENV, [],
                          'set the variable CRYPT_KEY to the key of the installation that the data are from');
    }
}

function is_installed(): bool
{
    $tables = database()->tables();
    $half = is_file(BEGUN) && !holds_data();
    if (database()->has('core_config_data') && database()->has('setup_module') && !$half) {
        remove(BEGUN);
        return true;
    }
    if (count($tables) > 1 && !$half) {
        throw new Refused('the database has tables, and is no whole Magento', 'database',
                          [listed($tables, 12), 'missing: core_config_data or setup_module'],
                          'import the rest of the data, empty the database, or set `table_prefix` in '
                          . 'DATABASE_CONFIGURATION');
    }
    return false;
}

/** Whether somebody has worked with it: an installation that broke off may be removed, and nothing else. */
function holds_data(): bool
{
    foreach (['catalog_product_entity', 'customer_entity', 'sales_order'] as $name) {
        $table = database()->table($name);
        if (database()->has($name) && database()->column("SELECT 1 FROM $table LIMIT 1")) {
            return true;
        }
    }
    return false;
}

function install_or_upgrade(): void
{
    if (state()['installed']) {
        upgrade();
        update_urls();
    } else {
        install();
    }
}

function install(): void
{
    $arguments = install_arguments();
    if (@file_put_contents(BEGUN, '') === false) {
        throw new Refused('app/etc cannot be written', 'mounts', [], 'make `app/etc` a mount of the application');
    }
    magento_or_refuse('deploy', $arguments, 'Magento cannot be installed',
                      'mend what it says and push again: the installation then begins anew');
    write_env();
    unlink(BEGUN);
    import_configuration();
    say('Magento is installed');
}

/** No page answers before what env.php and config.php say of the shop's settings is what was imported. */
function import_configuration(): void
{
    if (magento('deploy', ['app:config:status'])[0] !== UP_TO_DATE) {
        magento_or_refuse('deploy', ['app:config:import'], 'the configuration cannot be imported',
                          'mend app/etc/config.php, or what `.magento.env.yaml` puts into env.php, and push again');
    }
}

function install_arguments(): array
{
    $urls = base_urls();
    $env = read_configuration(ENV);
    $db = wanted_database($env['db'] ?? []);
    $main = $db['connection']['default'];
    $options = [
        'session-save' => 'db', 'use-secure-admin' => '1', 'use-rewrites' => '1', 'currency' => 'USD',
        'timezone' => 'America/Los_Angeles', 'language' => text_variable('ADMIN_LOCALE', 'en_US'),
        'base-url' => $urls['unsecure'], 'base-url-secure' => $urls['secure'], 'backend-frontname' => admin_path($env),
        'db-host' => $main['host'], 'db-name' => $main['dbname'], 'db-user' => $main['username'],
        'db-password' => $main['password'], 'db-prefix' => $db['table_prefix'], 'key' => crypt_key($env),
        'cleanup-database' => true,
    ] + admin_arguments() + search_arguments() + queue_arguments();
    $arguments = ['setup:install'];
    foreach ($options as $name => $value) {
        if ((string) $value !== '') {
            $arguments[] = $value === true ? "--$name" : "--$name=$value";
        }
    }
    return $arguments;
}

/** Without ADMIN_EMAIL there is no administrator yet; without ADMIN_PASSWORD one whose password nobody knows. */
function admin_arguments(): array
{
    $email = text_variable('ADMIN_EMAIL');
    if ($email === '') {
        say('no administrator is made: the variable ADMIN_EMAIL is not set');
        return [];
    }
    if (text_variable('ADMIN_PASSWORD') === '') {
        say('ADMIN_PASSWORD is not set: the administrator gets one that nobody knows, and another by '
            . '"Forgot your password?"');
    }
    return [
        'admin-user' => text_variable('ADMIN_USERNAME', 'admin'), 'admin-email' => $email,
        'admin-firstname' => text_variable('ADMIN_FIRSTNAME', 'Admin'),
        'admin-lastname' => text_variable('ADMIN_LASTNAME', 'Username'),
        'admin-password' => text_variable('ADMIN_PASSWORD') ?: bin2hex(random_bytes(16)) . 'aA1',
    ];
}

function search_arguments(): array
{
    $search = wanted_search(settings_of('deploy'));
    $engine = (string) ($search['engine'] ?? '');
    if ($engine === '') {
        if (magento_version() !== '' && is_at_least('2.4.0')) {
            throw new Refused('Magento 2.4 cannot be installed without a search engine', 'relationships', [],
                              'add a service `opensearch` and `opensearch: "opensearch:opensearch"` to '
                              . 'relationships, or write SEARCH_CONFIGURATION');
        }
        return [];
    }
    $prefix = strpos($engine, 'opensearch') === 0 ? 'opensearch' : 'elasticsearch';
    return [
        'search-engine' => $engine, "$prefix-host" => $search["{$engine}_server_hostname"] ?? '',
        "$prefix-port" => $search["{$engine}_server_port"] ?? '',
        "$prefix-enable-auth" => $search["{$engine}_enable_auth"] ?? '',
        "$prefix-username" => $search["{$engine}_username"] ?? '',
        "$prefix-password" => $search["{$engine}_password"] ?? '',
        "$prefix-index-prefix" => $search["{$engine}_index_prefix"] ?? '',
    ];
}

function queue_arguments(): array
{
    $amqp = wanted_queue(settings_of('deploy'))['amqp'] ?? [];
    $found = [];
    foreach (['host', 'port', 'user', 'password', 'virtualhost'] as $name) {
        $found["amqp-$name"] = (string) ($amqp[$name] ?? '');
    }
    return $found;
}

/** Why an upgrade is due; '' when none is. */
function why_upgrade(): string
{
    foreach ([SCHEMA_STATUS => 'the database', 'app:config:status' => 'the configuration'] as $command => $what) {
        [$status, $lines] = magento('deploy', [$command]);
        if ($status !== UP_TO_DATE && $command === SCHEMA_STATUS && @file_get_contents(SETTLED) === schema_of_code()) {
            say('it says so after an upgrade of the same code, too: nothing is due');
        } elseif ($status !== UP_TO_DATE) {
            return "$what is behind the code ($command: " . (end($lines) ?: "exit code $status") . ')';
        }
    }
    return '';
}

function upgrade(): void
{
    $why = why_upgrade();
    if ($why === '') {
        say('no upgrade is due');
        return;
    }
    say("an upgrade is due: $why");
    maintenance_on();
    magento_or_refuse('deploy', ['setup:upgrade', '--keep-generated'], 'the upgrade has failed',
                      'mend what it says and push again; data as they were come back with `snapshot_before_deploy`');
    remove(SETTLED);
    if (magento('deploy', [SCHEMA_STATUS])[0] !== UP_TO_DATE) {
        file_put_contents(SETTLED, schema_of_code());
    }
}

/**
 * Some databases never have the schema that Magento asks for: types that they call by another name. An upgrade changes
 * nothing of that, so it is not due again before something changes that an upgrade goes by.
 */
function schema_of_code(): string
{
    $sums = [md5_file('vendor/composer/installed.json'), @md5_file('app/etc/db_schema.xml')];
    foreach (['app/code', HOTFIXES] as $folder) {
        foreach (files_below($folder) as $file) {
            if ($folder === HOTFIXES || preg_match('#/etc/[^/]+\.xml$|/Setup/|/schema\.|/version$#', $file)) {
                $sums[] = $file . md5_file($file);
            }
        }
    }
    return md5(implode("\n", $sums));
}

/** The flag that `maintenance:enable` writes, without starting Magento for it. */
function maintenance_on(): void
{
    if (is_file(MAINTENANCE_FLAG)) {
        say('warning: the maintenance mode was on before, and stays on');
        return;
    }
    file_put_contents(MAINTENANCE_BY_US, '');
    @mkdir(dirname(MAINTENANCE_FLAG), 0777, true);
    touch(MAINTENANCE_FLAG);
}

/** However the hook ends: the version before must not answer with the maintenance page for ever. */
function maintenance_off(): void
{
    if (is_file(MAINTENANCE_BY_US)) {
        @unlink(MAINTENANCE_FLAG);
        unlink(MAINTENANCE_BY_US);
    }
}

/** Data that come from another environment name its host: here they name ours. {old host: new one} */
function addresses_to_change(): array
{
    $settings = settings_of('deploy');
    if (!$settings['UPDATE_URLS'] && !$settings['FORCE_UPDATE_URLS']) {
        return [];
    }
    $table = database()->table('core_config_data');
    $production = preg_match(PRODUCTION, (string) getenv('MAGENTO_CLOUD_BRANCH'));
    $found = [];
    foreach (base_urls() as $kind => $url) {
        $path = "web/$kind/base_url";
        $there = database()->column("SELECT value FROM $table WHERE path = ? AND scope = 'default'", [$path])[0] ?? '';
        [$old, $new] = [(string) parse_url((string) $there, PHP_URL_HOST), (string) parse_url($url, PHP_URL_HOST)];
        if ($old === '' || $old === $new) {
            continue;
        }
        if (is_ours($old) || ($production && !$settings['FORCE_UPDATE_URLS'])) {
            say("$path stays on $old");
        } else {
            $found[$old] = $new;
        }
    }
    return $found;
}

function update_urls(): void
{
    $table = database()->table('core_config_data');
    foreach (addresses_to_change() as $old => $new) {
        $rows = database()->change("UPDATE $table SET value = REPLACE(value, ?, ?) WHERE value LIKE ?",
                                   ["//$old", "//$new", '%//' . addcslashes($old, '%_\\') . '%']);
        say("$old is $new here ($rows settings)");
    }
}

function is_ours(string $host): bool
{
    foreach (array_keys(decoded('ROUTES')) as $url) {
        if (parse_url((string) $url, PHP_URL_HOST) === $host) {
            return true;
        }
    }
    return false;
}
