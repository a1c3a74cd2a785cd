// Vault's own command line. Its module cannot be installed by name, because it replaces parts of itself by folders.
//
// One of its databases' clients holds an authority with a negative number, and ends the program at its start where Go
// refuses that (since 1.23).

//go:debug x509negativeserial=1
package main

import (
	"os"

	"github.com/hashicorp/vault/command"
)

func main() { os.Exit(command.Run(os.Args[1:])) }
