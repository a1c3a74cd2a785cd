<?php
// Patches: those of Magento's cloud packages, in their order, then the project's own in m2-hotfixes. Each one applies,
// or was applied already; one that does neither ends the build and says which file it does not fit.
declare(strict_types=1);

namespace Deployd\Magento;

const PACKAGES_WITH_PATCHES = ['magento-cloud-configuration', 'ece-tools', 'magento-cloud-patches'];
const HOTFIXES = 'm2-hotfixes';

function apply_patches(): void
{
    $applied = $there = 0;
    foreach (patches_in_order() as [$file, $title]) {
        $there += 1;
        $applied += apply_patch($file, $title) ? 1 : 0;
    }
    apply_quality_patches((array) settings_of('build')['QUALITY_PATCHES']);
    $others = $applied < $there ? ', the others were already' : '';
    say($there ? "$applied of $there patches applied$others" : 'no patches');
}

/** [[file, title], …] */
function patches_in_order(): array
{
    $found = [];
    foreach (PACKAGES_WITH_PATCHES as $package) {
        $folder = "vendor/magento/$package";
        $is_listed = is_file("$folder/patches.json");
        $found = [...$found, ...($is_listed ? listed_patches($folder) : patches_of("$folder/patches"))];
    }
    return [...$found, ...patches_of(HOTFIXES)];
}

/** Those of a folder, by name. */
function patches_of(string $folder): array
{
    if (is_link($folder)) {
        throw new Refused("$folder is a symbolic link, and patches are not read through one", $folder, [],
                          'commit the folder itself');
    }
    $names = preg_grep('/\.patch$/', names_in($folder));
    sort($names, SORT_STRING);
    return array_map(fn ($name) => ["$folder/$name", $name], $names);
}

/** Of a package with a list: {package: {title: {constraint: file}}}, those that fit what is installed. */
function listed_patches(string $folder): array
{
    $list = json_decode((string) file_get_contents("$folder/patches.json"), true);
    if (!is_array($list)) {
        throw new Refused('the list of patches is no JSON', "$folder/patches.json", [json_last_error_msg()],
                          'install the package anew');
    }
    [$installed, $found] = [packages(), []];
    foreach ($list as $package => $patches) {
        foreach (isset($installed[$package]) ? (array) $patches : [] as $title => $by_constraint) {
            foreach ((array) $by_constraint as $constraint => $file) {
                if (is_string($file) && fits($installed[$package], (string) $constraint)) {
                    $found[] = ["$folder/patches/$file", "$title ($file)"];
                }
            }
        }
    }
    return $found;
}

/** Whether a version fits a constraint, as composer says it. */
function fits(string $version, string $constraint): bool
{
    static $known = false;
    if (!$known) {
        $known = true;
        spl_autoload_register(static function (string $class): void {
            $name = substr($class, strlen('Composer\Semver\\'));
            foreach (['vendor/composer/semver/src', '/usr/share/php/Composer/Semver'] as $folder) {
                $file = "$folder/" . str_replace('\\', '/', $name) . '.php';
                if (strpos($class, 'Composer\Semver\\') === 0 && is_file($file)) {
                    require_once $file;
                    return;
                }
            }
        });
    }
    return \Composer\Semver\Semver::satisfies($version, $constraint);
}

/** True: it was applied now; false: it was already. */
function apply_patch(string $file, string $title): bool
{
    $real = realpath($file);
    if ($real === false || strpos($real, getcwd() . '/') !== 0 || !is_file($real)) {
        throw new Refused("the patch $title leads out of the application, or nowhere", $file, [],
                          'commit the patch itself and no link');
    }
    [$unfit, $said] = git_apply($file, '--check');
    if ($unfit === 0) {
        [$unfit, $said] = git_apply($file, '--verbose');
        if ($unfit === 0) {
            say("  $title: applied");
            return true;
        }
    } elseif (git_apply($file, '--check', '--reverse')[0] === 0) {
        say("  $title: was applied already");
        return false;
    }
    preg_match_all('/^error: (?:patch failed: )?([^:]+)(?::\d+)?/m', implode("\n", $said), $matches);
    $files = $matches[1];
    $which = $files ? ' to ' . listed(array_values(array_unique($files)), 3) : '';
    throw new Refused("the patch $title cannot be applied$which", $file, array_slice($said, 0, EVIDENCE_LINES),
                      strpos($file, HOTFIXES . '/') === 0
                          ? 'make it anew against the installed packages, or remove it if they contain it'
                          : 'update the package that brings it; it does not fit the installed version');
}

function git_apply(string $file, string ...$options): array
{
    putenv('GIT_CEILING_DIRECTORIES=' . dirname(getcwd()));   // the application is no repository, and not part of one
    return run(['git', 'apply', ...$options, '--', $file], false);
}

/** Those that the settings name, by the program that knows them. */
function apply_quality_patches(array $names): void
{
    $names = array_map('strval', array_filter($names, 'is_scalar'));
    if (!$names) {
        return;
    }
    if (!is_file('vendor/bin/magento-patches')) {
        throw new Refused('QUALITY_PATCHES are named, and nothing that applies them is installed', '.magento.env.yaml',
                          $names, 'require magento/quality-patches in composer.json, or remove the setting');
    }
    [$status, $lines] = run(['php', 'vendor/bin/magento-patches', 'apply', '--no-interaction', '--', ...$names]);
    if ($status !== 0) {
        $last = array_slice($lines, -EVIDENCE_LINES);
        throw new Refused('quality patches cannot be applied', '.magento.env.yaml', $last,
                          'remove from QUALITY_PATCHES those that do not fit the installed version');
    }
}
