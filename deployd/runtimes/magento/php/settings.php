<?php
// `.magento.env.yaml` as deployd's readers read it, with ece-tools' defaults; at run time variables come over it.
declare(strict_types=1);

namespace Deployd\Magento;

const DEFAULTS = [
    'SCD_STRATEGY' => 'quick', 'SCD_THREADS' => -1, 'SCD_MATRIX' => [], 'SCD_NO_PARENT' => false,
    'SCD_MAX_EXECUTION_TIME' => null, 'SKIP_SCD' => false, 'SCD_ON_DEMAND' => false, 'SKIP_HTML_MINIFICATION' => true,
    'SKIP_COMPOSER_DUMP_AUTOLOAD' => false, 'VERBOSE_COMMANDS' => '', 'MIN_LOGGING_LEVEL' => '',
    'ERROR_REPORT_DIR_NESTING_LEVEL' => 1, 'QUALITY_PATCHES' => [], 'CLEAN_STATIC_FILES' => true,
    'UPDATE_URLS' => true, 'FORCE_UPDATE_URLS' => false, 'LOCK_PROVIDER' => 'file',
    'X_FRAME_CONFIGURATION' => 'SAMEORIGIN',
    'REDIS_BACKEND' => 'Cm_Cache_Backend_Redis', 'CONSUMERS_WAIT_FOR_MAX_MESSAGES' => false,
    'MYSQL_USE_SLAVE_CONNECTION' => false, 'CRON_CONSUMERS_RUNNER' => [], 'DATABASE_CONFIGURATION' => [],
    'RESOURCE_CONFIGURATION' => [], 'CACHE_CONFIGURATION' => [], 'SESSION_CONFIGURATION' => [],
    'SEARCH_CONFIGURATION' => [], 'QUEUE_CONFIGURATION' => [], 'WARM_UP_PAGES' => [''], 'WARM_UP_CONCURRENCY' => 0,
    'TTFB_TESTED_PAGES' => [],
];
const SWITCHES = ['enabled' => true, 'disabled' => false];

/** {variable: value} of a stage: defaults, then `global`, then the stage; with a deployment's variables, these last. */
function settings_of(string $stage): array
{
    static $found = [];
    if (!isset($found[$stage])) {
        $stages = json_decode((string) file_get_contents(__DIR__ . '/stages.json'), true) ?: [];
        $variables = $stage === 'build' ? [] : array_map('Deployd\Magento\switched', variables());
        $variables = array_intersect_key($variables, DEFAULTS);
        $said = array_replace($stages['global'] ?? [], $stages[$stage] ?? [], $variables);
        foreach (DEFAULTS as $name => $default) {   // a mapping that is none would end in the middle of something
            if (array_key_exists($name, $said) && is_array($default) !== is_array($said[$name])) {
                $kind = is_array($default) ? 'no mapping or list' : 'no single value';
                say("warning: $name is $kind: left out");
                unset($said[$name]);
            }
        }
        $found[$stage] = array_replace(DEFAULTS, $said);
    }
    return $found[$stage];
}

function switched($value)
{
    return is_string($value) ? SWITCHES[$value] ?? $value : $value;
}

/** What the settings say over what was found out: instead of it, or merged into it with `_merge: true`. */
function merged(array $found, array $said): array
{
    $merge = !empty($said['_merge']);
    unset($said['_merge']);
    if (!$said) {
        return $found;
    }
    return $merge ? array_replace_recursive($found, $said) : $said;
}
