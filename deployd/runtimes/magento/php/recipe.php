<?php
// The recipe's own commands: `php recipe.php COMMAND`, in the application's root. deployd lays these files out where a
// build or a hook of the deployment runs them (deployd/runtimes/magento/program.py). PHP 7.4 and later.
declare(strict_types=1);

namespace Deployd\Magento;

const WORK = __DIR__;   // the other files make constants of these
const KEPT = 'init';
const CONFIG = 'app/etc/config.php';
const ENV = 'app/etc/env.php';

foreach (glob(__DIR__ . '/*.php') as $file) {
    require_once $file;
}

const COMMANDS = [
    'check' => 'Deployd\Magento\check_code',
    'patches' => 'Deployd\Magento\apply_patches',
    'modules' => 'Deployd\Magento\enable_all_modules',
    'modules-as-configured' => 'Deployd\Magento\disable_again',
    'report-nesting' => 'Deployd\Magento\set_report_nesting',
    'compile' => 'Deployd\Magento\compile',
    'static-content' => 'Deployd\Magento\static_content_in_build',
    'keep' => 'Deployd\Magento\keep',
    'prepare' => 'Deployd\Magento\prepare',
    'look' => 'Deployd\Magento\look',
    'restore' => 'Deployd\Magento\restore',
    'configure' => 'Deployd\Magento\configure',
    'database' => 'Deployd\Magento\install_or_upgrade',
    'static-content-of-deploy' => 'Deployd\Magento\static_content_in_deploy',
    'caches' => 'Deployd\Magento\clear_caches',
    'maintenance-off' => 'Deployd\Magento\maintenance_off',
    'warm-up' => 'Deployd\Magento\warm_up',
];

try {
    COMMANDS[$argv[1]]();
} catch (Refused $refused) {
    fwrite(STDERR, $refused->told());
    exit(1);
}
