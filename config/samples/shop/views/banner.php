<p class="banner">Lamps and lanterns for long evenings.</p>
