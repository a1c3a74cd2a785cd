<?php
// The database by itself, without Magento: whether it answers, and what is in it.
declare(strict_types=1);

namespace Deployd\Magento;

class Database
{
    private \PDO $connection;
    private string $prefix;

    public function __construct(array $connection, string $prefix)
    {
        $this->prefix = $prefix;
        [$host, $port] = explode(':', (string) ($connection['host'] ?? '')) + [1 => '3306'];
        try {
            $this->connection = new \PDO(
                "mysql:host=$host;port=$port;dbname=" . ($connection['dbname'] ?? ''),
                (string) ($connection['username'] ?? ''), (string) ($connection['password'] ?? ''),
                [\PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION, \PDO::ATTR_TIMEOUT => 10]
            );
        } catch (\PDOException $error) {
            throw new Refused('the database does not answer', $host, [$error->getMessage()],
                              'see whether the service runs, and what DATABASE_CONFIGURATION says');
        }
    }

    public function table(string $name): string
    {
        return '`' . str_replace('`', '', $this->prefix . $name) . '`';
    }

    public function column(string $query, array $values = []): array
    {
        try {
            $statement = $this->connection->prepare($query);
            $statement->execute($values);
            return $statement->fetchAll(\PDO::FETCH_COLUMN) ?: [];
        } catch (\PDOException $error) {
            throw new Refused('the database refuses a question', 'database', [$error->getMessage()],
                              'see whether its tables are whole');
        }
    }

    public function change(string $query, array $values): int
    {
        $statement = $this->connection->prepare($query);
        $statement->execute($values);
        return $statement->rowCount();
    }

    public function tables(): array
    {
        return $this->column('SHOW TABLES');
    }

    /** What the tables of this installation are called, without the prefix. */
    public function has(string $name): bool
    {
        return in_array($this->prefix . $name, $this->tables(), true);
    }
}

function database(): Database
{
    static $database = null;
    if ($database === null) {
        $db = wanted_database(read_configuration(ENV)['db'] ?? []);
        $database = new Database($db['connection']['default'], (string) ($db['table_prefix'] ?? ''));
    }
    return $database;
}
