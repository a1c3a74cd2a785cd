<?php

declare(strict_types=1);

namespace Shop;

use RuntimeException;

/** An order without a product in it. */
final class NothingOrdered extends RuntimeException
{
}
