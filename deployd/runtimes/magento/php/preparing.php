<?php
// Before anybody is held: is there anything to do that the version which is live must not be visited beside?
// Nothing is changed here.
declare(strict_types=1);

namespace Deployd\Magento;

const NOTHING_DUE = WORK . '/nothing-due';

function prepare(): void
{
    $due = what_is_due();
    if ($due !== '') {
        say("visitors will be held: $due");
        return;
    }
    file_put_contents(NOTHING_DUE, '');
    say('nothing is due: visitors are held for the caches and the switch alone');
}

function what_is_due(): string
{
    if (!state()['installed']) {
        return 'Magento is to be installed';
    }
    $env = read_configuration(ENV);
    if (exported(wanted_env($env)) !== exported($env)) {
        return 'env.php is to be written';
    }
    foreach (mounts() as $mount) {
        $kept = KEPT . "/$mount";
        if (!in_array($mount, ['pub/media', STATIC_CONTENT, 'var'], true) && differs($kept, $mount, ['env.php'])) {
            return "$mount is to be restored";
        }
    }
    return why_static_content() ?: why_address() ?: why_upgrade();
}

/** Whether a copy would change anything. */
function differs(string $from, string $to, array $but): bool
{
    foreach (array_diff(names_in($from), $but) as $name) {
        [$source, $target] = ["$from/$name", "$to/$name"];
        if (is_link($source)) {
            $changed = !is_link($target) || readlink($target) !== readlink($source);
        } elseif (is_dir($source)) {
            $changed = is_link($target) || !is_dir($target) || differs($source, $target, []);
        } else {
            $changed = is_link($target) || !is_same($source, $target);
        }
        if ($changed) {
            return true;
        }
    }
    return false;
}

function why_static_content(): string
{
    if (!in_array(STATIC_CONTENT, mounts(), true)) {
        return '';
    }
    if (is_file(MADE_IN_BUILD)) {
        foreach (names_in(KEPT . '/' . STATIC_CONTENT) as $name) {
            $link = STATIC_CONTENT . "/$name";
            if (!is_link($link) || readlink($link) !== getcwd() . '/' . KEPT . "/$link") {
                return 'static content is to be linked to';
            }
        }
        return '';
    }
    return why_not_to_make() === '' ? 'static content is to be made' : '';
}

function why_address(): string
{
    return addresses_to_change() ? 'the address of the shop is to be changed' : '';
}
