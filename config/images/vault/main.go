// Vault's own command line. Its module cannot be installed by name, because it replaces parts of itself by folders.
package main

import (
	"os"

	"github.com/hashicorp/vault/command"
)

func main() { os.Exit(command.Run(os.Args[1:])) }
