<?php
// Code of the build: what must be there, extensions, dependency injection.
declare(strict_types=1);

namespace Deployd\Magento;

const AS_COMMITTED = WORK . '/config.as-committed.php';

function check_code(): void
{
    foreach (['vendor/autoload.php', 'bin/magento'] as $file) {
        if (!is_file($file)) {
            throw new Refused("there is no $file after composer has installed the packages", $file, [],
                              'see what composer printed above: Magento\'s packages need keys for repo.magento.com '
                              . '(the variable `env:COMPOSER_AUTH`), and `extra.magento-deploystrategy: copy` in '
                              . 'composer.json');
        }
    }
    foreach (['generated/code', 'generated/metadata', 'var/cache', 'var/di', 'var/generation'] as $folder) {
        foreach (names_in($folder) as $name) {
            remove("$folder/$name");
        }
    }
    remove('.static_content_deploy');
    say('Magento ' . (magento_version() ?: 'of an unknown version') . ', PHP ' . PHP_VERSION);
}

/** All extensions are enabled while code is generated, so that enabling one later needs none. */
function enable_all_modules(): void
{
    @mkdir(dirname(CONFIG), 0777, true);
    $before = read_configuration(CONFIG);
    write_configuration(AS_COMMITTED, $before);
    magento_or_refuse('build', ['module:enable', '--all'], 'extensions cannot be enabled',
                      'mend the extension that is named above');
    $there = read_configuration(CONFIG)['modules'] ?? [];
    $gone = array_keys(array_diff_key(array_filter($before['modules'] ?? []), $there));
    if ($gone) {
        throw new Refused('config.php enables what is not installed: ' . listed($gone), CONFIG, [],
                          'require their packages in composer.json, or remove their lines from config.php');
    }
    say(count($there) . ' extensions are enabled');
}

function compile(): void
{
    magento_or_refuse('build', ['setup:di:compile'], 'code and dependency injection cannot be generated',
                      'mend the class or the di.xml that is named above');
    if (!settings_of('build')['SKIP_COMPOSER_DUMP_AUTOLOAD']) {
        // With a prefix that composer makes by chance no two builds would be the same; each container has an APCu.
        $dump = ['composer', 'dump-autoload', '--optimize', '--apcu-prefix=magento', '--no-ansi', '--no-interaction'];
        [$status, $lines] = run($dump, false);
        if ($status !== 0) {
            $last = array_slice($lines, -EVIDENCE_LINES);
            throw new Refused('composer cannot write its autoloader', 'composer.json', $last,
                              'run `composer dump-autoload --optimize` where you develop, and mend what it says');
        }
    }
}

/** What config.php disables is disabled again; what it does not know stays enabled. */
function disable_again(): void
{
    $before = read_configuration(AS_COMMITTED);
    $now = read_configuration(CONFIG);
    $known = array_intersect_key($before['modules'] ?? [], $now['modules'] ?? []);
    $new = array_diff_key($now['modules'] ?? [], $known);
    $off = array_keys(array_filter($known, fn ($enabled) => !$enabled));
    write_configuration(CONFIG, array_replace($now, $before, ['modules' => $known + $new]));
    if ($off) {
        say(count($off) . ' disabled again, as config.php says: ' . listed($off));
    }
    if ($before && $new) {
        say(count($new) . ' are new to config.php and stay enabled: ' . listed(array_keys($new)));
    }
}

function set_report_nesting(): void
{
    $level = settings_of('build')['ERROR_REPORT_DIR_NESTING_LEVEL'];
    $file = 'pub/errors/local.xml';
    if (is_file($file) || !is_dir(dirname($file)) || !is_int($level) || $level < 0 || $level > 32) {
        return;
    }
    file_put_contents($file, '<?xml version="1.0"?>' . "\n<config><report><dir_nesting_level>$level</dir_nesting_level>"
        . "</report></config>\n");
}
