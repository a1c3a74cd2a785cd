<?php
// Static content: in the build for the locales of config.php when it carries the scopes, else in the deployment.
declare(strict_types=1);

namespace Deployd\Magento;

const MADE_IN_BUILD = '.static_content_deploy';
const MADE_FROM = 'pub/static/.deployd-made-from';
const LOCALE = '/^[A-Za-z]{2,3}(_[A-Za-z]+)*$/D';

/** Which files of the project PHP reads decides whether a later build may take over what is made here. */
const RECORD = '.deployd-read';
const RECORDER = <<<'PHP'
<?php
register_shutdown_function(static function (): void {
    $own = preg_grep('#^' . preg_quote(ROOT, '#') . '(?!vendor/|generated/|var/)#', get_included_files());
    $lines = array_map(static fn ($path) => substr($path, strlen(ROOT)) . "\n", $own);
    file_put_contents(ROOT . RECORD, implode('', $lines), FILE_APPEND | LOCK_EX);
});
PHP;

function write_recorder(): void
{
    $constants = ['ROOT' => var_export(getcwd() . '/', true), 'RECORD' => var_export(RECORD, true)];
    file_put_contents(WORK . '/recorder', strtr(RECORDER, $constants));
    file_put_contents(RECORD, '');
}

function static_content_in_build(): void
{
    write_recorder();
    $why = why_not_in_build();
    if ($why !== '') {
        say("not in the build: $why");
        return;
    }
    make_static_content('build', locales_of(read_configuration(CONFIG)));
    file_put_contents(MADE_IN_BUILD, '');
}

function why_not_in_build(): string
{
    $settings = settings_of('build');
    $config = read_configuration(CONFIG);
    return $settings['SCD_ON_DEMAND'] ? 'SCD_ON_DEMAND' : ($settings['SKIP_SCD'] ? 'SKIP_SCD' : (
        empty($config['scopes']) ? 'config.php has no scopes (`bin/magento app:config:dump` writes them), so the '
            . 'deployment makes it, while visitors wait' : ''));
}

/** Of every scope, of the administrators, ADMIN_LOCALE and en_US. */
function locales_of(array $config): array
{
    $found = [text_variable('ADMIN_LOCALE', 'en_US'), 'en_US'];
    array_walk_recursive($config, static function ($value, $key) use (&$found): void {
        if ($key === 'interface_locale') {
            $found[] = $value;
        }
    });
    $system = $config['system'] ?? [];
    $beside = [...array_values($system['websites'] ?? []), ...array_values($system['stores'] ?? [])];
    foreach ([$system['default'] ?? [], ...$beside] as $scope) {
        $found[] = $scope['general']['locale']['code'] ?? '';
    }
    foreach ($config['admin_user']['locale']['code'] ?? [] as $code) {
        $found[] = $code;
    }
    return array_values(array_unique(only_locales($found)));
}

/** They become arguments of a command. */
function only_locales(array $written): array
{
    return array_values(array_filter($written, fn ($code) => is_string($code) && preg_match(LOCALE, $code)));
}

function make_static_content(string $stage, array $locales): void
{
    say('for ' . listed($locales));
    foreach (static_content_commands($stage, $locales) as $command) {
        magento_or_refuse($stage, $command, 'static content cannot be made',
                          'mend the theme or the file that is named above');
    }
}

/** One for all themes that SCD_MATRIX says nothing of, one for each that it gives locales of its own. */
function static_content_commands(string $stage, array $locales): array
{
    $settings = settings_of($stage);
    $is_known = in_array($settings['SCD_STRATEGY'], ['compact', 'quick', 'standard'], true);
    $strategy = $is_known ? $settings['SCD_STRATEGY'] : 'quick';
    $threads = (int) $settings['SCD_THREADS'];
    if ($threads < 1) {
        $threads = min(4, max(1, (int) trim((string) shell_exec('nproc'))));
    }
    $options = ['--force', "--strategy=$strategy", '--jobs=' . ($strategy === 'compact' ? 1 : $threads)];
    if ($settings['SCD_MAX_EXECUTION_TIME'] !== null) {
        $options[] = '--max-execution-time=' . (int) $settings['SCD_MAX_EXECUTION_TIME'];
    }
    if ($settings['SCD_NO_PARENT']) {
        $options[] = '--no-parent';
    }
    [$apart, $excluded] = [[], []];
    foreach ($settings['SCD_MATRIX'] as $theme => $of_theme) {
        $theme = (string) $theme;
        $excluded[] = "--exclude-theme=$theme";
        $own = only_locales((array) ($of_theme['language'] ?? []));
        if ($own) {
            $apart[] = ['setup:static-content:deploy', ...$options, "--theme=$theme", ...$own];
        }
    }
    return [['setup:static-content:deploy', ...$options, ...$excluded, ...$locales], ...$apart];
}

function why_not_to_make(): string
{
    $settings = settings_of('deploy');
    $why = is_file(MADE_IN_BUILD) ? 'the build has made it' : ($settings['SCD_ON_DEMAND'] ? 'SCD_ON_DEMAND' : (
        $settings['SKIP_SCD'] ? 'SKIP_SCD' : (mode() !== 'production' ? 'the mode is ' . mode() : '')));
    $same = $why === '' && @file_get_contents(MADE_FROM) === made_from();
    return $same ? 'it is there, from the same code and for the same locales' : $why;
}

function made_from(): string
{
    return md5((string) json_encode([getenv('MAGENTO_CLOUD_TREE_ID'), locales_in_use(), settings_of('deploy')]));
}

function static_content_in_deploy(): void
{
    $settings = settings_of('deploy');
    $why = why_not_to_make();
    if ($why !== '') {
        say("nothing to make: $why");
        return;
    }
    remove(MADE_FROM);
    if ($settings['CLEAN_STATIC_FILES']) {
        clean_folder('pub/static', ['.htaccess']);
        clean_folder('var/view_preprocessed');
    }
    make_static_content('deploy', locales_in_use());
    @file_put_contents(MADE_FROM, made_from());
}

/** Those of config.php, and those that the database has beside. */
function locales_in_use(): array
{
    $database = database();
    [$settings, $people] = [$database->table('core_config_data'), $database->table('admin_user')];
    $in_database = $database->column("SELECT DISTINCT value FROM $settings WHERE path = 'general/locale/code' "
        . "UNION SELECT DISTINCT interface_locale FROM $people");
    $config = read_configuration(CONFIG);
    $config['admin_user']['locale']['code'] = [...($config['admin_user']['locale']['code'] ?? []), ...$in_database];
    return locales_of($config);
}

function clean_folder(string $folder, array $but = []): void
{
    foreach (array_diff(names_in($folder), $but) as $name) {
        remove("$folder/$name");
    }
}
