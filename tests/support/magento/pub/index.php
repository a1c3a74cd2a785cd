<?php
// One page: what the shop knows of itself, or the maintenance page.
declare(strict_types=1);

chdir(dirname(__DIR__));
require 'vendor/autoload.php';
if (is_file('var/.maintenance.flag')) {
    http_response_code(503);
    exit("Service Temporarily Unavailable\n");
}
$env = Acme\Magento::read('env');
$database = Acme\Magento::database();
if (!Acme\Magento::isImported()) {
    http_response_code(500);
    exit("The configuration file has changed. Run the \"app:config:import\" or the \"setup:upgrade\" command.\n");
}
header('Content-Type: application/json');
echo json_encode([
    'mode' => $env['MAGE_MODE'] ?? null,
    'modules' => $database->query('SELECT module, version FROM setup_module')->fetchAll(PDO::FETCH_KEY_PAIR),
    'off' => array_keys(array_filter(Acme\Magento::read('config')['modules'] ?? [], fn ($on) => !$on)),
    'url' => $database->query('SELECT value FROM core_config_data WHERE path = "web/secure/base_url"')->fetchColumn(),
    'admins' => $database->query('SELECT username FROM admin_user')->fetchAll(PDO::FETCH_COLUMN),
    'session' => $env['session']['save'] ?? null, 'cache' => $env['cache']['frontend']['default'] ?? null,
    'key' => md5($env['crypt']['key'] ?? ''), 'patched' => trim(file_get_contents('vendor/magento/magento2-base/text')),
    'files' => glob('{.magento,init,generated/code/Acme/*0.php}', GLOB_BRACE),
]), "\n";
