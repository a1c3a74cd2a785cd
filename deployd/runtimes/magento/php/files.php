<?php
// Files and folders of the application, and Magento's configuration files. Links are never followed.
declare(strict_types=1);

namespace Deployd\Magento;

/** What a configuration file of Magento returns; [] when there is none. */
function read_configuration(string $file): array
{
    if (!is_file($file)) {
        return [];
    }
    try {
        $found = (static fn () => require $file)();
    } catch (\Throwable $error) {
        $said = $error->getMessage() . ", line {$error->getLine()}";
        throw new Refused("$file is no PHP that can be read", $file, [$said],
                          'mend the file, or take it out and let it be made anew');
    }
    return is_array($found) ? $found : [];
}

/** Written beside and renamed: whoever reads it finds the old one or the new one. False: it was so already. */
function write_configuration(string $file, array $configuration): bool
{
    $text = "<?php\nreturn " . exported($configuration) . ";\n";
    if (is_file($file) && file_get_contents($file) === $text) {
        return false;
    }
    $fresh = "$file.deployd";
    if (@file_put_contents($fresh, $text) === false || !rename($fresh, $file)) {
        throw new Refused("$file cannot be written", $file, [error_get_last()['message'] ?? ''],
                          'make `app/etc` a mount of the application, or look whether the disk is full');
    }
    return true;
}

function exported($value, string $indent = ''): string
{
    if (!is_array($value)) {
        return var_export($value, true);
    }
    $is_list = $value === array_values($value);
    $lines = '';
    foreach ($value as $key => $item) {
        $name = $is_list ? '' : var_export($key, true) . ' => ';
        $lines .= "$indent    $name" . exported($item, "$indent    ") . ",\n";
    }
    return $lines === '' ? '[]' : "[\n$lines$indent]";
}

/** Everything directly in a folder. */
function names_in(string $folder): array
{
    $names = is_dir($folder) && !is_link($folder) ? scandir($folder) : [];
    return array_values(array_diff($names ?: [], ['.', '..']));
}

/** Every file below a folder, by name. */
function files_below(string $folder): array
{
    $found = [];
    foreach (names_in($folder) as $name) {
        $path = "$folder/$name";
        $found = [...$found, ...(is_dir($path) && !is_link($path) ? files_below($path) : [$path])];
    }
    return array_values(array_filter($found, 'is_file'));
}

/** A link is removed, not what it leads to. */
function remove(string $path): void
{
    if (is_dir($path) && !is_link($path)) {
        foreach (names_in($path) as $name) {
            remove("$path/$name");
        }
        @rmdir($path);   // a mount, or something that is written into meanwhile, may stay
    } elseif (is_link($path) || file_exists($path)) {
        @unlink($path);
    }
}

/** Copy what is new or different. Gives how many files that were. */
function copy_over(string $from, string $to, array $but = []): int
{
    $copied = 0;
    if (!is_dir($to)) {
        @mkdir($to, 0777, true);
    }
    foreach (array_diff(names_in($from), $but) as $name) {
        [$source, $target] = ["$from/$name", "$to/$name"];
        if (is_dir($source) && !is_link($source)) {
            if (is_link($target)) {   // else what it leads to would be written into
                unlink($target);
            }
            $copied += copy_over($source, $target);
        } elseif (is_link($source)) {
            if (!is_link($target) || readlink($target) !== readlink($source)) {
                remove($target);
                symlink(readlink($source), $target);
                $copied += 1;
            }
        } elseif (is_link($target) || !is_same($source, $target)) {
            if (is_link($target)) {
                unlink($target);
            }
            if (!@copy($source, $target)) {
                throw new Refused("$target cannot be written", $target, [error_get_last()['message'] ?? ''],
                                  'look whether the disk is full, and whether the folder is a mount');
            }
            $copied += 1;
        }
    }
    return $copied;
}

function is_same(string $one, string $other): bool
{
    if (!is_file($other)) {
        return false;
    }
    $same = filesize($one) === filesize($other) && md5_file($one) === md5_file($other);
    return $same || ($other === CONFIG && says_the_same($one, $other));
}

/** Magento writes config.php anew in each upgrade, in an order of its own. */
function says_the_same(string $one, string $other): bool
{
    try {
        return read_configuration($one) == read_configuration($other);   // whatever the order
    } catch (Refused $unreadable) {
        return false;
    }
}

/** What an earlier command of the same run found out. */
function state(array $more = []): array
{
    $file = WORK . '/state.json';
    $state = array_replace(json_decode((string) @file_get_contents($file), true) ?: [], $more);
    if ($more) {
        file_put_contents($file, json_encode($state));
    }
    return $state;
}
