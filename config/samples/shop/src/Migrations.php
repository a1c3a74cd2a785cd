<?php

declare(strict_types=1);

namespace Shop;

use PDO;
use RuntimeException;

/**
 * Brings the schema up to date: each file of migrations/ once, in the order of their names.
 *
 * MariaDB ends a transaction at each CREATE or ALTER, so a file may be left half done by a failure. That is why every
 * statement in it must be repeatable (IF NOT EXISTS, INSERT IGNORE): the next run does the whole file again.
 */
final class Migrations
{
    public function __construct(private readonly PDO $database, private readonly string $folder)
    {
    }

    /**
     * @param callable(string): void $tell
     * @return int How many were applied.
     */
    public function run(callable $tell): int
    {
        // Two hooks at once would be a mistake of the platform; wait for the other one all the same.
        if ((int) $this->database->query("SELECT GET_LOCK('shop-migrations', 30)")->fetchColumn() !== 1) {
            throw new RuntimeException('another migration has been running for 30 s');
        }
        $this->database->exec(
            'CREATE TABLE IF NOT EXISTS migrations
             (name VARCHAR(100) NOT NULL PRIMARY KEY, applied_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP)',
        );
        $applied = $this->database->query('SELECT name FROM migrations')->fetchAll(PDO::FETCH_COLUMN);
        $count = 0;
        foreach (glob("$this->folder/*.sql") ?: [] as $file) {
            $name = basename($file, '.sql');
            if (in_array($name, $applied, true)) {
                continue;
            }
            $began = hrtime(true);
            foreach ($this->statements((string) file_get_contents($file)) as $statement) {
                $this->database->exec($statement);
            }
            $this->database->prepare('INSERT INTO migrations (name) VALUES (?)')->execute([$name]);
            $tell(sprintf('%s applied in %.0f ms', $name, (hrtime(true) - $began) / 1e6));
            $count++;
        }
        $this->database->exec("DO RELEASE_LOCK('shop-migrations')");
        return $count;
    }

    /** @return list<string> Statements end with a semicolon at the end of a line. */
    private function statements(string $text): array
    {
        return array_values(array_filter(array_map('trim', preg_split('/;[ \t]*$/m', $text) ?: [])));
    }
}
