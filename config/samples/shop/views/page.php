<?php
/**
 * @var array<string, mixed> $status
 * @var array<int, array<string, mixed>> $products
 * @var array<int, int> $cart
 * @var ?int $ordered
 */
$yes = static fn (bool $value): string => $value ? '<b class="yes">yes</b>' : '<b class="no">no</b>';
$text = static fn (mixed $value): string => htmlspecialchars((string) $value);
$total = 0;
foreach ($cart as $id => $quantity) {
    $total += ($products[$id]['price_cents'] ?? 0) * $quantity;
}
?>
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>The Lamp Shop, version <?= $text($status['version']) ?></title>
  <link rel="stylesheet" href="/static/shop.css?<?= $text(Shop\Platform::build()['assets']['shop.css'] ?? '') ?>">
</head>
<body>
<header>
  <h1>The Lamp Shop</h1>
  <span class="version">version <?= $text($status['version']) ?></span>
  <span class="branch"><?= $text($status['branch']) ?></span>
</header>
<?php require __DIR__ . '/banner.php'; ?>
<?php if ($ordered !== null) : ?>
<p class="thanks" role="status">Thank you. Your order has number <?= $ordered ?>.</p>
<?php endif ?>
<main>
  <section class="products" aria-label="Products">
<?php foreach ($products as $product) {
    require __DIR__ . '/product.php';
} ?>
  </section>
  <aside>
    <section id="cart">
      <h2>Your cart</h2>
<?php if ($cart === []) : ?>
      <p>Nothing in it yet.</p>
<?php else : ?>
      <ul>
<?php foreach ($cart as $id => $quantity) : ?>
<?php if (isset($products[$id])) : ?>
        <li><span><?= $quantity ?> × <?= $text($products[$id]['name']) ?></span></li>
<?php endif ?>
<?php endforeach ?>
      </ul>
      <form method="post" action="/order">
        <span class="price"><?= number_format($total / 100, 2) ?> <?= $text(getenv('SHOP_CURRENCY') ?: 'EUR') ?></span>
        <button>Order</button>
      </form>
<?php endif ?>
    </section>
    <section>
      <h2>This environment</h2>
      <dl>
        <dt>Version</dt><dd><?= $text($status['version']) ?></dd>
        <dt>Branch</dt><dd><?= $text($status['branch']) ?></dd>
        <dt>Environment</dt><dd><?= $text($status['environment']) ?></dd>
        <dt>Code</dt><dd><code><?= $text(substr($status['tree'], 0, 12)) ?></code></dd>
        <dt>Built</dt><dd><?= $text($status['built_at'] ?? 'unknown') ?></dd>
        <dt>PHP</dt><dd><?= $text($status['php']) ?></dd>
      </dl>
      <h2>Its relationships</h2>
      <dl>
        <dt>database</dt><dd><?= $text($status['database']) ?></dd>
        <dt>redis</dt><dd><?= $text($status['redis']) ?>, answers: <?= $yes($status['redis_answers']) ?></dd>
        <dt>Migrations</dt><dd><?= $status['migrations'] ?></dd>
        <dt>Products</dt><dd><?= $status['products'] ?></dd>
        <dt>Orders</dt><dd><?= $status['orders'] ?>, mailed <?= $status['orders_mailed'] ?></dd>
        <dt>Visits</dt><dd><?= $status['visits'] ?></dd>
      </dl>
      <h2>Its files</h2>
      <dl>
        <dt><code>pub/media</code></dt><dd>writable: <?= $yes($status['media_writable']) ?></dd>
        <dt><code>var</code></dt><dd>writable: <?= $yes($status['var_writable']) ?></dd>
        <dt>Code</dt><dd>read-only: <?= $yes($status['code_read_only']) ?></dd>
      </dl>
    </section>
  </aside>
</main>
<footer>The sample shop of deployd. The same as data: <a href="/status.json">status.json</a></footer>
</body>
</html>
