<?php
// Other programs: Magento's command line and git, with what they print in the log and in the evidence.
declare(strict_types=1);

namespace Deployd\Magento;

const EVIDENCE_LINES = 15;
const LONGEST_LINE = 500;   // Magento shows all options of a command that failed, 6,000 characters
const PROGRESS = '/^\[Progress: (\d{1,9}) \/ (\d{1,9})\]$/';   // an installation writes 1,440 of these
const QUIET = ['warning', 'error', 'critical', 'alert', 'emergency'];

/** Run a program. Gives [status, its last lines]. */
function run(array $command, bool $shown = true): array
{
    $process = proc_open($command, [['file', '/dev/null', 'r'], ['pipe', 'w'], ['redirect', 1]], $pipes);
    $lines = [];
    $tenths = 0;
    while (($line = fgets($pipes[1])) !== false) {
        $line = rtrim(strlen($line) > LONGEST_LINE ? substr($line, 0, LONGEST_LINE) . ' …' : $line);
        if (preg_match(PROGRESS, $line, $of)) {
            $now = intdiv(10 * (int) $of[1], max(1, (int) $of[2]));
            if ($shown && $now > $tenths) {
                say('  ' . 10 * $now . ' %');
            }
            $tenths = max($tenths, $now);
            continue;
        }
        if ($shown && $line !== '') {
            say("  $line");
        }
        $lines[] = $line;
        $lines = array_slice($lines, -4 * EVIDENCE_LINES);
    }
    fclose($pipes[1]);
    return [proc_close($process), array_values(array_filter($lines))];
}

/** A command of bin/magento. Gives [status, last lines]; with MIN_LOGGING_LEVEL above `notice` only failures speak. */
function magento(string $stage, array $arguments): array
{
    $settings = settings_of($stage);
    $verbose = preg_match('/^-v{1,3}$/', (string) $settings['VERBOSE_COMMANDS']) ? [$settings['VERBOSE_COMMANDS']] : [];
    $quiet = in_array($settings['MIN_LOGGING_LEVEL'], QUIET, true);
    $php = ['php', '-d', 'memory_limit=-1'];   // the container's memory bounds it
    if ($stage === 'build' && $arguments[0] === 'setup:static-content:deploy') {
        $php = [...$php, '-d', 'auto_prepend_file=' . WORK . '/recorder'];
    }
    $php[] = 'bin/magento';
    putenv('MAGE_MODE=production');   // else its commands want `generated` to be writable, which is built and read-only
    return run([...$php, ...$arguments, '--no-interaction', '--no-ansi', ...$verbose], !$quiet);
}

function magento_or_refuse(string $stage, array $arguments, string $what, string $mend): void
{
    [$status, $lines] = magento($stage, $arguments);
    if ($status !== 0) {
        $name = "bin/magento $arguments[0]";
        $by = in_array($status, [137, 9, -1], true) ? ': it was killed, mostly because the memory was full' : '';
        $said = array_filter($lines, fn ($line) => strpos($line, "$arguments[0] [") !== 0);   // how it is called
        $last = array_slice(array_values($said), -EVIDENCE_LINES);
        throw new Refused("$what: $name ended with exit code $status$by", $name, $last, $mend);
    }
}

/** {package: version} of what composer installed. */
function packages(): array
{
    $installed = json_decode((string) @file_get_contents('vendor/composer/installed.json'), true) ?: [];
    $found = [];
    foreach ($installed['packages'] ?? $installed as $package) {
        if (is_array($package) && isset($package['name'], $package['version'])) {
            $found[(string) $package['name']] = ltrim((string) $package['version'], 'v');
        }
    }
    return $found;
}

/** `2.4.7-p7`; of Mage-OS the Magento that it goes with; '' when nobody knows. */
function magento_version(): string
{
    $packages = packages();
    if (isset($packages['mage-os/magento2-base'])) {
        return version_compare($packages['mage-os/magento2-base'], '2', '>=') ? '2.4.8' : '2.4.7';
    }
    return $packages['magento/magento2-base'] ?? $packages['magento/product-community-edition'] ?? '';
}

function is_at_least(string $version): bool
{
    return magento_version() === '' || version_compare(preg_replace('/-p\d+$/', '', magento_version()), $version, '>=');
}
