<?php
declare(strict_types=1);

namespace Acme;

class Magento
{
    private const DATABASES = '/^(10\.(2|3|4|5|6|11)|11\.4)\./';
    private array $options = [];
    private array $words = [];

    public function __construct(array $arguments)
    {
        foreach ($arguments as $argument) {
            if (preg_match('/^--([^=]+)(?:=(.*))?$/s', $argument, $match)) {
                $this->options[$match[1]] = $match[2] ?? '1';
            } else {
                $this->words[] = $argument;
            }
        }
    }

    public function run(string $command): int
    {
        file_put_contents('php://stderr', "Magento CLI: $command\n");
        $commands = [
            'module:enable' => 'enable', 'setup:di:compile' => 'compile',
            'setup:static-content:deploy' => 'staticContent', 'setup:install' => 'install',
            'setup:upgrade' => 'upgrade', 'setup:db:status' => 'databaseStatus',
            'app:config:status' => 'configStatus', 'app:config:import' => 'importConfig', 'cache:enable' => 'enableCaches',
        ];
        try {
            return $this->{$commands[$command] ?? 'unknown'}();
        } catch (\Throwable $error) {
            echo "In Magento.php line {$error->getLine()}:\n\n  {$error->getMessage()}\n";
            return 1;
        }
    }

    private function unknown(): int
    {
        throw new \RuntimeException('Command is not defined.');
    }

    public static function read(string $name): array
    {
        return is_file("app/etc/$name.php") ? (array) (static fn () => require getcwd() . "/app/etc/$name.php")() : [];
    }

    private function write(string $name, array $values): void
    {
        file_put_contents("app/etc/$name.php", "<?php\nreturn " . var_export($values, true) . ";\n");
    }

    /** {module: version} of the code. */
    private static function code(): array
    {
        $found = ['Magento_Store' => '2.4.7', 'Magento_TwoFactorAuth' => '1.1.6'];
        foreach (glob('app/code/*/*/version') as $file) {
            [, , $vendor, $name] = explode('/', $file);
            $found["{$vendor}_$name"] = trim(file_get_contents($file));
        }
        return $found;
    }

    private function enable(): int
    {
        $config = self::read('config');
        $config['modules'] = array_fill_keys(array_keys(self::code()), 1);
        $this->write('config', $config);
        echo "The following modules have been enabled:\n", implode("\n", array_keys(self::code())), "\n";
        return 0;
    }

    private function compile(): int
    {
        if (glob('app/code/*/*/broken')) {
            throw new \RuntimeException('Class Acme\Hello\Model\Gone does not exist');
        }
        $off = array_keys(array_filter(self::read('config')['modules'] ?? [], fn ($on) => !$on));
        if ($off) {
            throw new \RuntimeException('compiled without ' . implode(', ', $off));
        }
        @mkdir('generated/code/Acme', 0777, true);
        for ($number = 0; $number < (int) (getenv('GENERATED_FILES') ?: 20); $number++) {
            file_put_contents("generated/code/Acme/Interceptor$number.php", "<?php\nclass Interceptor$number {}\n");
        }
        // As the real one does.
        $this->write('env', ['MAGE_MODE' => 'default', 'cache_types' => ['compiled_config' => 1]]);
        echo "Generated code and dependency injection configuration successfully.\n";
        return 0;
    }

    private function staticContent(): int
    {
        if (!isset($this->options['force'])) {
            throw new \RuntimeException('NOTE: Manual static content deployment is not required in "default" mode.');
        }
        foreach ($this->words as $locale) {
            $folder = 'pub/static/frontend/' . ($this->options['theme'] ?? 'Magento/luma') . "/$locale";
            @mkdir($folder, 0777, true);
            file_put_contents("$folder/style.css", file_get_contents('app/style.css'));
            for ($number = 0; $number < (int) getenv('STATIC_FILES'); $number++) {
                file_put_contents("$folder/file$number.js", "define([], () => $number);\n");
            }
        }
        file_put_contents('pub/static/deployed_version.txt', substr(md5(file_get_contents('app/style.css')), 0, 8));
        echo 'Execution time: 0.1, jobs ', $this->options['jobs'], ', strategy ', $this->options['strategy'], "\n";
        return 0;
    }

    public static function database(?array $connection = null): \PDO
    {
        $connection = $connection ?? self::read('env')['db']['connection']['default'];
        return new \PDO("mysql:host={$connection['host']};dbname={$connection['dbname']}", $connection['username'],
                        $connection['password'], [\PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION]);
    }

    private function install(): int
    {
        $connection = ['host' => $this->options['db-host'], 'dbname' => $this->options['db-name'],
                       'username' => $this->options['db-user'], 'password' => $this->options['db-password']];
        $database = self::database($connection);
        $version = $database->query('SELECT VERSION()')->fetchColumn();
        if (!preg_match(getenv('ONLY_DATABASES') ?: self::DATABASES, $version)) {
            throw new \RuntimeException("Current version of RDBMS is not supported. Used Version: $version. Supported: "
                . 'MySQL-8, MariaDB-(10.2-10.6, 10.11, 11.4)');
        }
        if (getenv('MAGE_MODE') !== 'production' && !is_writable('generated')) {
            throw new \RuntimeException("Missing write permissions to the following paths:\n/app/generated");
        }
        foreach (range(1, 144) as $number) {
            echo "[Progress: $number / 144]\n";
        }
        if (isset($this->options['cleanup-database'])) {
            foreach ($database->query('SHOW TABLES')->fetchAll(\PDO::FETCH_COLUMN) as $table) {
                $database->exec("DROP TABLE `$table`");
            }
        }
        $database->exec('CREATE TABLE core_config_data '
            . '(scope VARCHAR(9) DEFAULT "default", path VARCHAR(190), value TEXT)');
        $database->exec('CREATE TABLE setup_module (module VARCHAR(90) PRIMARY KEY, version VARCHAR(50))');
        $database->exec('CREATE TABLE admin_user '
            . '(username VARCHAR(90), email VARCHAR(190), interface_locale VARCHAR(9))');
        $database->exec('CREATE TABLE flag (name VARCHAR(90) PRIMARY KEY, value TEXT)');
        if (getenv('INSTALLATION_FAILS') && !is_file('var/was-here')) {
            touch('var/was-here');
            throw new \RuntimeException('SQLSTATE[HY000]: General error: 2006 MySQL server has gone away');
        }
        $insert = $database->prepare('INSERT INTO core_config_data (path, value) VALUES (?, ?)');
        $insert->execute(['web/unsecure/base_url', $this->options['base-url']]);
        $insert->execute(['web/secure/base_url', $this->options['base-url-secure']]);
        if (isset($this->options['admin-email'])) {
            $database->prepare('INSERT INTO admin_user VALUES (?, ?, "en_US")')
                ->execute([$this->options['admin-user'], $this->options['admin-email']]);
        }
        $this->write('env', [
            'backend' => ['frontName' => $this->options['backend-frontname']],
            'crypt' => ['key' => $this->options['key'] ?? bin2hex(random_bytes(16))],
            'db' => [
                'table_prefix' => '', 'connection' => ['default' => $connection + ['model' => 'mysql4', 'active' => '1']],
            ],
            'cache' => ['frontend' => ['default' => ['id_prefix' => '69d_'], 'page_cache' => ['id_prefix' => '69d_']]],
            'cache_types' => ['config' => 1], 'install' => ['date' => 'Mon, 02 Mar 2026 10:00:00 +0000'],
        ]);
        $this->bring($database);
        echo "[SUCCESS]: Magento installation complete.\n";
        return 0;
    }

    private function upgrade(): int
    {
        if (!is_file('var/.maintenance.flag')) {
            throw new \RuntimeException('the shop is not in maintenance mode');
        }
        $this->bring(self::database());
        $config = self::read('config');
        $modules = array_reverse($config['modules'] ?? []);   // the real one has an order of its own, too
        $this->write('config', array_replace(array_reverse($config), ['modules' => $modules]));
        echo "Nothing to import.\n";
        return 0;
    }

    private function bring(\PDO $database): void
    {
        foreach (glob('app/code/*/*/schema.sql') as $file) {
            foreach (array_filter(array_map('trim', explode(';', file_get_contents($file)))) as $statement) {
                $database->exec($statement);
            }
        }
        foreach (self::code() as $module => $version) {
            $database->prepare('REPLACE INTO setup_module VALUES (?, ?)')->execute([$module, $version]);
        }
        $this->importConfig();
    }

    private function importConfig(): int
    {
        self::database()->prepare('REPLACE INTO flag VALUES ("config", ?)')->execute([self::configHash()]);
        return 0;
    }

    /** The real one answers no page otherwise. */
    public static function isImported(): bool
    {
        $known = self::database()->query('SELECT value FROM flag WHERE name = "config"')->fetchColumn();
        return $known === self::configHash();
    }

    private static function configHash(): string
    {
        return md5((string) json_encode([self::read('config')['system'] ?? [], self::read('env')['system'] ?? []]));
    }

    private function databaseStatus(): int
    {
        $there = self::database()->query('SELECT module, version FROM setup_module')->fetchAll(\PDO::FETCH_KEY_PAIR);
        $behind = array_diff_assoc(self::code(), $there);
        if (getenv('SCHEMA_NEVER_SETTLES')) {   // as MariaDB 10.11 with some releases
            echo "Declarative Schema is not up to date\n";
            $behind = ['schema' => '1'];
        }
        echo $behind ? "Run 'setup:upgrade' to update your DB schema and data.\n" : "All modules are up to date.\n";
        return $behind ? 2 : 0;
    }

    private function configStatus(): int
    {
        $changed = !self::isImported();
        echo $changed ? "Config files have changed. Run app:config:import command.\n" : "Config files are up to date.\n";
        return $changed ? 2 : 0;
    }

    private function enableCaches(): int
    {
        $this->write('env', array_replace(self::read('env'), ['cache_types' => ['config' => 1]]));
        return 0;
    }
}
