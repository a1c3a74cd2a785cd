<?php

declare(strict_types=1);

namespace Shop;

use Throwable;

/** The four things that can be asked for over HTTP. Every answer names the version that gave it. */
final class Web
{
    private const COOKIE = 'cart';

    public function __construct(private readonly Connections $connections)
    {
    }

    public function answer(): void
    {
        header('X-Shop-Version: ' . Platform::version());
        header('Cache-Control: no-store');
        $path = parse_url($_SERVER['REQUEST_URI'] ?? '/', PHP_URL_PATH) ?: '/';
        try {
            match (($_SERVER['REQUEST_METHOD'] ?? 'GET') . " $path") {
                'GET /', 'HEAD /' => $this->page(),
                'GET /status.json' => $this->json(Status::read($this->connections)),
                'POST /cart' => $this->addToCart(),
                'POST /order' => $this->order(),
                default => $this->text(404, 'There is no such page.'),
            };
        } catch (NothingOrdered $error) {
            $this->text(400, ucfirst($error->getMessage()) . '.');
        } catch (Throwable $error) {
            error_log((string) $error);
            while (ob_get_level() > 0) {
                ob_end_clean();     // half a page
            }
            $this->text(500, 'The shop cannot answer: ' . $error->getMessage());
        }
    }

    private function page(): void
    {
        $status = Status::read($this->connections);
        $products = (new Catalogue($this->connections->database()))->all();
        $cart = $this->cart()->lines();
        $ordered = filter_var($_GET['ordered'] ?? null, FILTER_VALIDATE_INT) ?: null;
        ob_start();
        require Platform::ROOT . '/views/page.php';
        header('Content-Type: text/html; charset=utf-8');
        echo ob_get_clean();
    }

    private function addToCart(): void
    {
        $cart = $this->cart();
        $cart->add((int) ($_POST['product'] ?? 0));
        setcookie(self::COOKIE, $cart->id(), ['path' => '/', 'httponly' => true, 'samesite' => 'Lax']);
        $this->seeOther('/#cart');
    }

    /** Orders the cart; programs name one product instead: `product=3`, answered with JSON. */
    private function order(): void
    {
        $orders = new Orders($this->connections->database(), $this->connections->redis());
        if (isset($_POST['product'])) {
            $order = $orders->place([(int) $_POST['product'] => 1], Platform::version());
            $this->json(['order' => $order, 'version' => Platform::version()], 201);
            return;
        }
        $cart = $this->cart();
        $order = $orders->place($cart->lines(), Platform::version());
        $cart->clear();
        $this->seeOther("/?ordered=$order");
    }

    private function cart(): Cart
    {
        return Cart::ofVisitor($this->connections->redis(), (string) ($_COOKIE[self::COOKIE] ?? ''));
    }

    /** @param array<string, mixed> $value */
    private function json(array $value, int $status = 200): void
    {
        http_response_code($status);
        header('Content-Type: application/json');
        echo json_encode($value, JSON_THROW_ON_ERROR | JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES), "\n";
    }

    private function text(int $status, string $text): void
    {
        http_response_code($status);
        header('Content-Type: text/plain; charset=utf-8');
        echo $text, "\n";
    }

    private function seeOther(string $path): void
    {
        header("Location: $path", true, 303);
    }
}
