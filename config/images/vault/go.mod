module vault

go 1.24

require (
	github.com/hashicorp/vault v1.12.0
	github.com/hashicorp/vault/api v1.8.2
)
