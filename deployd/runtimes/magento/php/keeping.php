<?php
// Mounts lie over what a build leaves in their folders, so it is kept beside (`init/`, as ece-tools do) and restored by
// the deployment.
declare(strict_types=1);

namespace Deployd\Magento;

const STATIC_CONTENT = 'pub/static';
const NOT_KEPT_OF_VAR = ['cache', 'page_cache', 'log', 'report', 'session', 'tmp', 'locks', 'di', 'generation'];

function keep(): void
{
    remove(ENV);   // commands of the build wrote it; the deployment makes the real one
    remove(RECORD);   // deployd has read it, or nobody will
    remove(KEPT);
    foreach (mounts() as $mount) {
        if (!is_dir($mount) || is_link($mount)) {
            continue;
        }
        @mkdir(KEPT . "/$mount", 0777, true);
        if ($mount === STATIC_CONTENT) {
            rmdir(KEPT . "/$mount");
            rename($mount, KEPT . "/$mount");   // ten thousands of files, and nothing of the build reads them any more
            mkdir($mount);
        } else {
            copy_over($mount, KEPT . "/$mount", $mount === 'var' ? not_kept_of_var() : []);
        }
        say("$mount is kept in " . KEPT . "/$mount");
    }
}

function not_kept_of_var(): array
{
    $minified = settings_of('build')['SKIP_HTML_MINIFICATION'] ? ['view_preprocessed'] : [];
    return [...NOT_KEPT_OF_VAR, ...$minified];
}

function restore(): void
{
    foreach (mounts() as $mount) {
        $kept = KEPT . "/$mount";
        if ($mount === STATIC_CONTENT) {
            if (is_file(MADE_IN_BUILD)) {
                link_static_content();
            } else {
                copy_over($kept, $mount);
            }
        } elseif (is_dir($kept)) {
            if (in_array($mount, ['generated', 'var/generation', 'var/di', 'var/view_preprocessed'], true)) {
                clean_folder($mount, names_in($kept));
            }
            $files = copy_over($kept, $mount, $mount === 'app/etc' ? ['env.php'] : []);
            say($files ? "$mount: $files files" : "$mount: as the build left it already");
        }
    }
}

/** Each entry is a link into the slug: a version sees its own, and nothing is copied. */
function link_static_content(): void
{
    $kept = KEPT . '/' . STATIC_CONTENT;
    $wanted = names_in($kept);
    if (settings_of('deploy')['CLEAN_STATIC_FILES']) {
        clean_folder(STATIC_CONTENT, [...$wanted, '.htaccess', '.deployd-made-from']);
        remove(MADE_FROM);
    }
    $made = 0;
    foreach ($wanted as $name) {
        [$target, $link] = [getcwd() . "/$kept/$name", STATIC_CONTENT . "/$name"];
        if (!is_link($link) || readlink($link) !== $target) {
            remove($link);
            symlink($target, $link);
            $made += 1;
        }
    }
    $said = $made ? "$made links to what the build made" : 'leads to what the build made already';
    say(STATIC_CONTENT . ": $said");
}
