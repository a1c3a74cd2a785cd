<?php /** @var array<string, mixed> $product */ ?>
<article class="product" style="--hue: <?= (int) $product['hue'] ?>">
  <div class="light" aria-hidden="true"></div>
  <h3><?= htmlspecialchars($product['name']) ?></h3>
  <p><?= htmlspecialchars($product['about']) ?></p>
  <p class="stars" role="img" aria-label="<?= (int) ($product['rating'] ?? 0) ?> of 5 stars"><?= str_repeat("★", (int) ($product['rating'] ?? 0)) ?></p>
  <form method="post" action="/cart">
    <input type="hidden" name="product" value="<?= (int) $product['id'] ?>">
    <span class="price"><?= number_format($product['price_cents'] / 100, 2) ?> <?= htmlspecialchars(getenv('SHOP_CURRENCY') ?: 'EUR') ?></span>
    <button>Add to cart</button>
  </form>
</article>
