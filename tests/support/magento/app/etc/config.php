<?php
return ['modules' => ['Magento_Store' => 1, 'Magento_TwoFactorAuth' => 0, 'Acme_Hello' => 1]];
