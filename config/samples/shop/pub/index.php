<?php

declare(strict_types=1);

require __DIR__ . '/../vendor/autoload.php';

(new Shop\Web(new Shop\Connections()))->answer();
