<p class="banner">New in version 2: every lamp has its stars.</p>
