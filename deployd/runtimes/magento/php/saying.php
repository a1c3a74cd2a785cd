<?php
// What people read: lines of the log, and a refusal with what, where, evidence and how to mend it.
declare(strict_types=1);

namespace Deployd\Magento;

class Refused extends \RuntimeException
{
    private string $where;
    /** @var string[] */
    private array $evidence;
    private string $mend;

    public function __construct(string $what, string $where, array $evidence, string $mend)
    {
        parent::__construct($what);
        [$this->where, $this->evidence, $this->mend] = [$where, $evidence, $mend];
    }

    public function told(): string
    {
        $lines = ['deployd: ' . $this->getMessage(), '  where: ' . $this->where];
        foreach ($this->evidence as $line) {
            $lines[] = '  | ' . $line;
        }
        return implode("\n", array_map('Deployd\Magento\printable', [...$lines, '  mend: ' . $this->mend])) . "\n";
    }
}

/** Names come from a repository: what is no printable character is shown as `?`. */
function printable(string $text): string
{
    return preg_replace('/[\x00-\x08\x0a-\x1f\x7f]/', '?', $text);
}

function say(string $text): void
{
    echo printable($text), "\n";
}

/** `a, b, c and 4 more` */
function listed(array $names, int $most = 8): string
{
    $more = count($names) - $most;
    return implode(', ', array_slice($names, 0, $most)) . ($more > 0 ? " and $more more" : '');
}
